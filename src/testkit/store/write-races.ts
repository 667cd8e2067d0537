/**
 * Writes to one row at the same time, on one instance and across two.
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
    title: 'of twelve keys for one generation at once one is inserted',
    across: 'also',
    async run({ store, other, make }) {
      const keys = Array.from({ length: 12 }, () => make.key({ generation: 2 }))
      const answers = await atOnce([store, other], keys, (one, key) => one.insertKey(key))
      same(count(answers, Boolean), 1, 'how many were inserted')
      const winner = present(keys[answers.indexOf(true)], 'the winner')
      same(await store.listKeys(), [winner], 'the keys')
    },
  },
  {
    rule: 'races.rewrap',
    title: 'of twelve rewraps of one key at once one comes through',
    across: 'also',
    async run({ store, other, make }) {
      const key = make.key()
      await store.insertKey(key)
      const nexts = Array.from({ length: 12 }, (_, index) => ({
        wrapped: `wrapped ${index}`,
        wrappedBy: `root ${index}`,
      }))
      const answers = await atOnce([store, other], nexts, (one, next) =>
        one.rewrapKey(key.id, key.wrapped, next),
      )
      same(count(answers, Boolean), 1, 'how many came through')
      const expected = { ...key, ...nexts[answers.indexOf(true)] }
      same(await store.listKeys(), [expected], 'the keys')
    },
  },
  {
    rule: 'races.usage',
    title: 'reports of use at once and out of order leave the latest',
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
        // Two writers that take the rows in opposite order must not lock one another out.
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
    title: 'ends of grace at once leave the earliest',
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
    title: 'use, end of grace, rotation and revocation at once lose none of the four',
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
        same(actual, expected, 'what three of the calls wrote')
        const family = await store.listTokens({ family: token.family }, { limit: 9 })
        same(family.length, record.successor === null ? 1 : 2, 'the number of records')
        const alive = family.filter(({ revokedAt }) => revokedAt === null)
        holds(alive.length === 0, `${alive.length} records of the family are not revoked`)
      }
    },
  },
  {
    rule: 'races.purge',
    title: 'of six purges at once each row is counted by one',
    across: 'also',
    async run({ store, other, make }) {
      const past = make.tokens(30, { expiresAt: NOW })
      const live = make.token()
      await store.insertTokens([...past, live])
      const before = { tokens: NOW, keys: NOW, revocations: NOW }
      const answers = await atOnce([store, other], Array(6).fill(before), (one) =>
        one.purge(before),
      )
      const removed = answers.reduce((sum, { tokens }) => sum + tokens, 0)
      same(removed, 30, 'how many all of them removed')
      same(await allTokens(store), [live], 'the records')
    },
  },
]
