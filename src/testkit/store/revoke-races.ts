/**
 * Revocations against what else happens at the same time, on one instance and across two.
 *
 * @module
 */
import type { Revocation, Store, Succession, TokenRecord } from '../../store/store.js'
import { allTokens, atOnce } from './at-once.js'
import { present, type StoreCase, same } from './case.js'
import { type Fixtures, HOUR, NOW } from './fixtures.js'

/** Either the rotation came first and the successor bears the mark, or the revocation did and there is none. */
async function expectNoSurvivor(
  store: Store,
  family: string,
  answer: Succession,
  { at, actor, reason }: Revocation,
): Promise<void> {
  const records = await store.listTokens({ family }, { limit: 9 })
  same(records.length, answer.outcome === 'succeeded' ? 2 : 1, `records after ${answer.outcome}`)
  for (const { generation, revokedAt, revokedBy, revokedReason } of records) {
    const mark = [revokedAt, revokedBy, revokedReason]
    same(mark, [at, actor, reason], `the mark of generation ${generation}, ${answer.outcome}`)
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
    title: 'a revocation against a rotation leaves no successor alive, whichever came first',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 25; round++) {
        const kind = TARGETS[round % TARGETS.length] ?? 'all'
        const names = { subject: `s${round}`, audience: `a${round}`, keyId: make.keyId() }
        // Each round is later than what revocations of all have covered so far.
        const token = make.token({ ...names, familyIssuedAt: NOW + round })
        await store.insertTokens([token])
        const revocation = { ...revocationOf(kind, token, make), before: NOW + round }
        const rotate = () => store.succeed(token.id, make.successor(token), null)
        const revoke = () => other.revoke(revocation)
        const answer =
          round % 4 < 2
            ? (await Promise.all([rotate(), revoke()]))[0]
            : (await Promise.all([revoke(), rotate()]))[1]
        await expectNoSurvivor(store, token.family, answer, revocation)
      }
    },
  },
  {
    rule: 'races.revoke-token',
    title: 'a revocation of one token against its rotation: a successor only if it is told of',
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
        same(record.revokedBy, 'operator', 'who revoked it')
        const isLinked = outcome === 'succeeded'
        same(record.successor, isLinked ? successor.id : null, `its successor, ${outcome}`)
        const expected = isLinked ? successor : undefined
        same(await store.getToken(successor.id), expected, `the successor, ${outcome}`)
      }
    },
  },
  {
    rule: 'races.revoke',
    title: 'a family that rotates all the time is dead once its revocation has returned',
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
        // A few reads let some of the rotations pass, without a clock.
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
    title: 'a batch inserted during a revocation is marked as a whole or not at all',
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
      same((await store.listRevocations({ limit: 99 })).length, 10, 'the revocations kept')
    },
  },
  {
    rule: 'races.first-mark',
    title: 'of ten revocations at once each is kept, and every record bears one of them whole',
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
        same(whole, [`actor ${index}`, `reason ${index}`], `the mark of ${revokedAt}`)
      }
      await other.revoke(make.revocation('all', ''))
      same(await allTokens(store), before, 'the records after one more')
    },
  },
  {
    rule: 'races.revoke-retry',
    title: 'ten retries of one revocation at once are one revocation',
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
