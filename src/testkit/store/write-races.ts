/**
 * Concurrent writes to one row, on one instance and across two.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import { allTokens, atOnce, count } from './at-once.js'
import { holds, present, type StoreCase, same } from './case.js'
import { NOW } from './fixtures.js'

export const writeRaceCases: readonly StoreCase[] = [
  {
    rule: 'races.key',
    title: 'inserts one of twelve concurrent keys for one generation',
    across: 'also',
    async run({ store, other, make }) {
      const keys = Array.from({ length: 12 }, () => make.key({ generation: 2 }))
      const results = await atOnce([store, other], keys, (one, key) => one.insertKey(key))
      same(count(results, Boolean), 1, 'the number inserted')
      const winner = present(keys[results.indexOf(true)], 'the winner')
      same(await store.listKeys(), [winner], 'the keys')
    },
  },
  {
    rule: 'races.rewrap',
    title: 'lets one of twelve concurrent rewraps of a key succeed',
    across: 'also',
    async run({ store, other, make }) {
      const key = make.key()
      await store.insertKey(key)
      const nexts = Array.from({ length: 12 }, (_, index) => ({
        wrapped: `wrapped ${index}`,
        wrappedBy: `root ${index}`,
      }))
      const results = await atOnce([store, other], nexts, (one, next) =>
        one.rewrapKey(key.id, key.wrapped, next),
      )
      same(count(results, Boolean), 1, 'the number that succeeded')
      const expected = { ...key, ...nexts[results.indexOf(true)] }
      same(await store.listKeys(), [expected], 'the keys')
    },
  },
  {
    rule: 'races.usage',
    title: 'keeps the latest of concurrent, unordered reports of use',
    across: 'also',
    async run({ store, other, make }) {
      const [one, two] = [make.token(), make.token()]
      await store.insertTokens([one, two])
      const times = Array.from({ length: 40 }, (_, index) => NOW + index)
      await atOnce([store, other], make.shuffled(times), (instance, at, index) => {
        const reports = [
          { id: one.id, at },
          { id: two.id, at: at + 1 },
        ]
        // Two writers that take rows in opposite orders must not deadlock.
        return instance.recordUsage(index % 3 === 0 ? reports.reverse() : reports)
      })
      const expected = [
        { ...one, lastUsedAt: NOW + 39 },
        { ...two, lastUsedAt: NOW + 40 },
      ]
      same(await allTokens(store), expected, 'the records')
    },
  },
  {
    rule: 'races.supersede',
    title: 'keeps the earliest of concurrent ends of grace',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const times = Array.from({ length: 30 }, (_, index) => NOW + index)
      await atOnce([store, other], make.shuffled(times), (one, at) => one.supersede(token.id, at))
      same(await store.getToken(token.id), { ...token, supersededAt: NOW }, 'the record')
    },
  },
  {
    rule: 'races.columns',
    title: 'loses none of a concurrent use, end of grace, rotation and revocation',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 10; round++) {
        const token = make.token({ subject: `s${round}` })
        await store.insertTokens([token])
        const calls: Array<(one: Store) => Promise<unknown>> = [
          (one) => one.recordUsage([{ id: token.id, at: NOW + 2 }]),
          (one) => one.supersede(token.id, NOW + 3),
          (one) => one.succeed(token.id, make.successor(token), NOW + 4),
          (one) => one.revoke(make.revocation('subject', token.subject)),
        ]
        await atOnce([store, other], make.shuffled(calls), (one, call) => call(one))
        const record = present(await store.getToken(token.id), 'the record')
        const { lastUsedAt, supersededAt, revokedBy } = record
        const actual = { lastUsedAt, supersededAt, revokedBy }
        const expected = { lastUsedAt: NOW + 2, supersededAt: NOW + 3, revokedBy: 'operator' }
        same(actual, expected, 'the fields written by three of the calls')
        const family = await store.listTokens({ family: token.family }, { limit: 9 })
        same(family.length, record.successor === null ? 1 : 2, 'the number of records')
        const alive = family.filter(({ revokedAt }) => revokedAt === null)
        holds(alive.length === 0, `${alive.length} records of the family are not revoked`)
      }
    },
  },
  {
    rule: 'races.purge',
    title: 'counts each row in one of six concurrent purges',
    across: 'also',
    async run({ store, other, make }) {
      const past = make.tokens(30, { expiresAt: NOW })
      const live = make.token()
      await store.insertTokens([...past, live])
      const before = { tokens: NOW, keys: NOW, revocations: NOW }
      const results = await atOnce([store, other], Array(6).fill(before), (one) =>
        one.purge(before),
      )
      const removed = results.reduce((sum, { tokens }) => sum + tokens, 0)
      same(removed, 30, 'the number removed by all of them')
      same(await allTokens(store), [live], 'the records')
    },
  },
]
