/**
 * Revocations concurrent with other calls, on one instance and across two.
 *
 * @module
 */
import type { Revocation, Store, Succession, TokenRecord } from '../../store/store.js'
import { allTokens, atOnce } from './at-once.js'
import { present, type StoreCase, same } from './case.js'
import { type Fixtures, HOUR, NOW } from './fixtures.js'

/** Either the rotation came first and the successor is marked, or the revocation came first and there is none. */
async function expectNoSurvivor(
  store: Store,
  family: string,
  result: Succession,
  { at, actor, reason }: Revocation,
): Promise<void> {
  const records = await store.listTokens({ family }, { limit: 9 })
  same(records.length, result.outcome === 'succeeded' ? 2 : 1, `records after ${result.outcome}`)
  for (const { generation, revokedAt, revokedBy, revokedReason } of records) {
    const mark = [revokedAt, revokedBy, revokedReason]
    same(mark, [at, actor, reason], `the mark of generation ${generation}, ${result.outcome}`)
  }
}

const TARGETS = ['family', 'subject', 'key', 'audience', 'all'] as const

function revocationOf(kind: (typeof TARGETS)[number], token: TokenRecord, make: Fixtures) {
  const { family, subject, keyId: key, audience } = token
  return make.revocation(kind, { family, subject, key, audience, all: '' }[kind])
}

export const revokeRaceCases: readonly StoreCase[] = [
  {
    rule: 'races.revoke',
    title: 'leaves no live successor after a revocation races a rotation',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 25; round++) {
        const kind = TARGETS[round % TARGETS.length] ?? 'all'
        const names = { subject: `s${round}`, audience: `a${round}`, keyId: make.keyId() }
        // Each round is later than the time covered by earlier revocations of all.
        const token = make.token({ ...names, familyIssuedAt: NOW + round })
        await store.insertTokens([token])
        const revocation = { ...revocationOf(kind, token, make), before: NOW + round }
        const rotate = () => store.succeed(token.id, make.successor(token), null)
        const revoke = () => other.revoke(revocation)
        const result =
          round % 4 < 2
            ? (await Promise.all([rotate(), revoke()]))[0]
            : (await Promise.all([revoke(), rotate()]))[1]
        await expectNoSurvivor(store, token.family, result, revocation)
      }
    },
  },
  {
    rule: 'races.revoke-token',
    title: 'inserts a successor only if reported, when a revocation races a rotation of one token',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 20; round++) {
        const token = make.token()
        await store.insertTokens([token])
        const successor = make.successor(token)
        const rotate = () => store.succeed(token.id, successor, null)
        const revoke = () => other.revoke(make.revocation('token', token.id))
        const { outcome } =
          round % 4 < 2
            ? (await Promise.all([rotate(), revoke()]))[0]
            : (await Promise.all([revoke(), rotate()]))[1]
        const record = present(await store.getToken(token.id), 'the record')
        same(record.revokedBy, 'operator', 'the actor of its revocation')
        const isLinked = outcome === 'succeeded'
        same(record.successor, isLinked ? successor.id : null, `its successor, ${outcome}`)
        const expected = isLinked ? successor : undefined
        same(await store.getToken(successor.id), expected, `the successor, ${outcome}`)
      }
    },
  },
  {
    rule: 'races.revoke',
    title: 'revokes a constantly rotating family completely once the call returns',
    across: 'also',
    async run({ store, other, make }) {
      const first = make.token()
      await store.insertTokens([first])
      const rotate = async () => {
        let head = first
        for (let turn = 0; turn < 25; turn++) {
          const next = make.successor(head)
          const { outcome } = await store.succeed(head.id, next, NOW + HOUR)
          if (outcome !== 'succeeded') return
          head = next
        }
      }
      const revoke = async () => {
        // A few reads let some rotations complete without using a clock.
        for (let read = 0; read < 5; read++) await other.getToken(first.id)
        await other.revoke(make.revocation('family', first.family))
      }
      await Promise.all([rotate(), revoke()])
      const records = await allTokens(store)
      const alive = records.filter(({ revokedAt }) => revokedAt === null)
      same(alive, [], 'the records that are not revoked')
      const head = present(records.at(-1), 'the newest record')
      const { outcome } = await other.succeed(head.id, make.successor(head), null)
      same(outcome, 'revoked', 'a rotation of the newest one')
    },
  },
  {
    rule: 'races.insert-revoke',
    title: 'marks a batch inserted during a revocation as a whole or not at all',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 10; round++) {
        const subject = `s${round}`
        const batch = make.tokens(20, { subject })
        const revocation = make.revocation('subject', subject)
        const insert = () => store.insertTokens(batch)
        const revoke = () => other.revoke(revocation)
        await Promise.all(round % 2 === 0 ? [insert(), revoke()] : [revoke(), insert()])
        const records = await store.listTokens({ subject }, { limit: 99 })
        const { at, actor, reason } = revocation
        const mark = { revokedAt: at, revokedBy: actor, revokedReason: reason }
        const isMarked = records[0]?.revokedAt !== null
        const expected = isMarked ? batch.map((record) => ({ ...record, ...mark })) : batch
        same(records, expected, 'the batch')
        const [one] = batch as [TokenRecord]
        const { outcome } = await other.succeed(one.id, make.successor(one), null)
        same(outcome, 'revoked', 'a rotation of one of them')
      }
      same((await store.listRevocations({ limit: 99 })).length, 10, 'the stored revocations')
    },
  },
  {
    rule: 'races.first-mark',
    title: 'stores ten concurrent revocations and marks every record with one of them',
    across: 'also',
    async run({ store, other, make }) {
      const tokens = make.tokens(10)
      await store.insertTokens(tokens)
      const all = Array.from({ length: 10 }, (_, index) =>
        make.revocation('subject', 'user:1', {
          at: NOW + index,
          actor: `actor ${index}`,
          reason: `reason ${index}`,
        }),
      )
      await atOnce([store, other], make.shuffled(all), (one, revocation) => one.revoke(revocation))
      same(await store.listRevocations({ limit: 99 }), all, 'the revocations')
      const before = await allTokens(store)
      for (const { revokedAt, revokedBy, revokedReason } of before) {
        const index = Number(revokedAt) - NOW
        const whole = [revokedBy, revokedReason]
        same(whole, [`actor ${index}`, `reason ${index}`], `the mark at ${revokedAt}`)
      }
      await other.revoke(make.revocation('all', ''))
      same(await allTokens(store), before, 'the records after one more')
    },
  },
  {
    rule: 'races.revoke-retry',
    title: 'stores one revocation for ten concurrent retries',
    across: 'also',
    async run({ store, other, make }) {
      const tokens = make.tokens(5)
      await store.insertTokens(tokens)
      const revocation = make.revocation('subject', 'user:1')
      await atOnce([store, other], Array(10).fill(0), (one) => one.revoke(revocation))
      same(await store.listRevocations({ limit: 9 }), [revocation], 'the revocations')
      const alive = (await allTokens(store)).filter(({ revokedAt }) => revokedAt === null)
      same(alive, [], 'the records that are not revoked')
    },
  },
]
