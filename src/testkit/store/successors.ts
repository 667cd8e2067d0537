/**
 * Revocations of a token that cover its successors, and the number of live records matched.
 *
 * @module
 */
import type { Revocation, Store, TokenRecord } from '../../store/store.js'
import { present, type StoreCase, same } from './case.js'
import { type Fixtures, HOUR, NOW } from './fixtures.js'

/** A family with that many generations, each rotated from the previous one. */
async function chainOf(store: Store, make: Fixtures, length: number): Promise<TokenRecord[]> {
  const chain = [make.token()]
  await store.insertTokens(chain)
  while (chain.length < length) {
    const last = chain.at(-1) as TokenRecord
    const next = make.successor(last)
    await store.succeed(last.id, next, NOW + HOUR)
    chain.push(next)
  }
  return chain
}

const withSuccessors = (make: Fixtures, { id, family, generation }: TokenRecord): Revocation =>
  make.revocation('token', id, { before: 0, family, generation: generation + 1 })

async function marksOf(store: Store, family: string): Promise<(string | null)[]> {
  const records = await store.listTokens({ family }, { limit: 99 })
  return [...records].sort((a, b) => a.generation - b.generation).map(({ revokedBy }) => revokedBy)
}

export const successorCases: readonly StoreCase[] = [
  {
    rule: 'revocation.successors',
    title: 'marks a token and its successors with a family, and no earlier token',
    across: 'also',
    async run({ store, other, make }) {
      const chain = await chainOf(store, make, 5)
      const [bystander] = (await chainOf(store, make, 2)) as [TokenRecord, TokenRecord]
      const second = chain[1] as TokenRecord
      await other.revoke(withSuccessors(make, second))
      const by = 'operator'
      same(await marksOf(store, second.family), [null, by, by, by, by], 'the marks by generation')
      same(await marksOf(store, bystander.family), [null, null], 'the marks of another family')
    },
  },
  {
    rule: 'revocation.successors',
    title: 'marks only the token without a family',
    async run({ store, make }) {
      const [first, second] = (await chainOf(store, make, 3)) as [TokenRecord, TokenRecord]
      await store.revoke(make.revocation('token', second.id))
      same(await marksOf(store, first.family), [null, 'operator', null], 'the marks by generation')
    },
  },
  {
    rule: 'revocation.successors',
    title: 'marks the successors of a token whose record is missing',
    async run({ store, make }) {
      const family = make.id()
      const records = [2, 3, 4].map((generation) => make.token({ family, generation }))
      await store.insertTokens(records)
      await store.revoke(make.revocation('token', make.id(), { family, generation: 3 }))
      same(await marksOf(store, family), [null, 'operator', 'operator'], 'the marks by generation')
    },
  },
  {
    rule: 'succession.kept-successors',
    title:
      'refuses every later generation under a stored revocation with a family, and no earlier one',
    across: 'also',
    async run({ store, other, make }) {
      const family = make.id()
      await store.revoke(make.revocation('token', make.id(), { family, generation: 3, at: 1 }))
      const older = make.token({ family, generation: 1 })
      const [last, late] = [2, 4].map((generation) => make.token({ family, generation }))
      await store.insertTokens([older, last, late] as TokenRecord[])
      const outcome = async (token = older) =>
        (await other.succeed(token.id, make.successor(token), null)).outcome
      same(await outcome(older), 'succeeded', 'a rotation to the generation before')
      same(await outcome(last), 'revoked', 'a rotation to the first covered generation')
      same(await outcome(late), 'revoked', 'a rotation of a covered token')
    },
  },
  {
    rule: 'races.revoke-successors',
    title: 'leaves no live token after a revocation with a family races rotations',
    across: 'also',
    async run({ store, other, make }) {
      for (let round = 0; round < 15; round++) {
        const [first] = (await chainOf(store, make, 1)) as [TokenRecord]
        const rotate = async () => {
          let head = first
          for (let turn = 0; turn < 4; turn++) {
            const next = make.successor(head)
            const { outcome } = await store.succeed(head.id, next, NOW + HOUR)
            if (outcome !== 'succeeded') return
            head = next
          }
        }
        const revoke = async () => {
          for (let read = 0; read < round % 5; read++) await other.getToken(first.id)
          await other.revoke(withSuccessors(make, first))
        }
        await Promise.all(round % 2 === 0 ? [rotate(), revoke()] : [revoke(), rotate()])
        const marks = await marksOf(store, first.family)
        same(
          marks,
          marks.map(() => 'operator'),
          `the marks by generation in round ${round}`,
        )
        const records = await store.listTokens({ family: first.family }, { limit: 9 })
        const head = present(
          records.find(({ successor }) => successor === null),
          'the newest token',
        )
        const { outcome } = await other.succeed(head.id, make.successor(head), null)
        same(outcome, 'revoked', `a rotation of the newest one in round ${round}`)
      }
    },
  },
  {
    rule: 'revocation.matched',
    title: 'returns the number of covered records that were live at its time',
    across: 'also',
    async run({ store, other, make }) {
      const at = NOW + 5
      const records = [
        make.token(),
        make.token({ expiresAt: at + 1, supersededAt: at + 1 }),
        make.token({ expiresAt: at }),
        make.token({ supersededAt: at }),
        make.token({ revokedAt: 1, revokedBy: 'x' }),
        make.token({ subject: 'user:2' }),
        make.token({ familyIssuedAt: NOW + 1 }),
      ]
      await store.insertTokens(records)
      const matched = async (revocation: Revocation) => (await other.revoke(revocation)).matched
      same(await matched(make.revocation('subject', 'typo', { at })), 0, 'unknown')
      same(await matched(make.revocation('subject', 'user:1', { at })), 2, 'a subject')
      same(await matched(make.revocation('subject', 'user:1', { at })), 0, 'the same subject again')
      same(await matched(make.revocation('all', '', { at, before: NOW + 1 })), 2, 'the others')
      same(await matched(make.revocation('token', make.id(), { at })), 0, 'an unknown token')
    },
  },
  {
    rule: 'revocation.matched',
    title: 'counts the token and its successors',
    async run({ store, make }) {
      const chain = await chainOf(store, make, 4)
      await store.supersede((chain[1] as TokenRecord).id, NOW)
      const { matched } = await store.revoke(withSuccessors(make, chain[1] as TokenRecord))
      same(matched, 2, 'the successors of a superseded token')
      const [alone] = (await chainOf(store, make, 2)) as [TokenRecord, TokenRecord]
      const result = await store.revoke(make.revocation('token', alone.id))
      same(result, { matched: 1 }, 'a single token')
    },
  },
  {
    rule: 'revocation.matched-retry',
    title: 'returns the first result to a repeated call, regardless of later changes',
    across: 'also',
    async run({ store, other, make }) {
      const tokens = make.tokens(3)
      await store.insertTokens(tokens)
      const revocation = make.revocation('subject', 'user:1')
      same(await store.revoke(revocation), { matched: 3 }, 'the first call')
      await store.insertTokens(make.tokens(2))
      same(await other.revoke(revocation), { matched: 3 }, 'a repeated call')
      await store.purge({ tokens: NOW * 2, keys: 0, revocations: 0 })
      same(await other.revoke(revocation), { matched: 3 }, 'a repeated call after a purge')
    },
  },
]
