/**
 * The limit of live tokens.
 *
 * @module
 */
import type { Store, TokenRecord } from '../../store/store.js'
import { type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

async function insertOne(store: Store, record: TokenRecord, max: number, now = NOW) {
  return await store.insertTokens([record], { max, now })
}

export const limitCases: readonly StoreCase[] = [
  {
    rule: 'limits.exact',
    title: 'inserts tokens up to the limit and not one more',
    async run({ store, make }) {
      for (let index = 0; index < 3; index++) {
        same(await insertOne(store, make.token(), 3), 'inserted', `token ${index + 1} of 3`)
      }
      const fourth = make.token()
      same(await insertOne(store, fourth, 3), 'limit', 'token 4 of 3')
      same(await store.getToken(fourth.id), undefined, 'the token beyond the limit')
      same((await store.listTokens({}, { limit: 9 })).length, 3, 'the number of tokens')
      same(await insertOne(store, fourth, 4), 'inserted', 'token 4 of 4')
      same(await store.insertTokens([make.token()]), 'inserted', 'a token without a limit')
      same(
        await insertOne(store, make.token(), 2),
        'limit',
        'a token under a limit exceeded before',
      )
    },
  },
  {
    rule: 'limits.batch',
    title: 'counts a batch as a whole',
    async run({ store, make }) {
      const limit = { max: 5, now: NOW }
      same(await store.insertTokens(make.tokens(6), limit), 'limit', 'six at once')
      same(await store.listTokens({}, { limit: 9 }), [], 'the tokens after it')
      same(await store.insertTokens(make.tokens(3), limit), 'inserted', 'three at once')
      same(await store.insertTokens(make.tokens(3), limit), 'limit', 'three more')
      same(await store.insertTokens(make.tokens(2), limit), 'inserted', 'two more')
      same((await store.listTokens({}, { limit: 9 })).length, 5, 'the number of tokens')
    },
  },
  {
    rule: 'limits.scope',
    title: 'counts tokens by subject and policy, across audiences',
    async run({ store, make }) {
      await store.insertTokens([make.token({ subject: 'a', policy: 'p', audience: 'x' })])
      const results = [
        await insertOne(store, make.token({ subject: 'a', policy: 'q' }), 1),
        await insertOne(store, make.token({ subject: 'b', policy: 'p' }), 1),
        await insertOne(store, make.token({ subject: 'a', policy: 'p', audience: 'y' }), 1),
      ]
      same(
        results,
        ['inserted', 'inserted', 'limit'],
        'other policy, other subject, other audience',
      )
      // The boundary between two texts must be unambiguous.
      await store.insertTokens([make.token({ subject: 'ab', policy: 'c' })])
      same(
        await insertOne(store, make.token({ subject: 'a', policy: 'bc' }), 1),
        'inserted',
        'a, bc',
      )
      await store.insertTokens([make.token({ subject: 'x:y', policy: 'z' })])
      same(
        await insertOne(store, make.token({ subject: 'x', policy: 'y:z' }), 1),
        'inserted',
        'x, y:z',
      )
    },
  },
  {
    rule: 'limits.expired',
    title: 'does not count a token from its expiry on',
    async run({ store, make }) {
      await store.insertTokens([make.token({ expiresAt: NOW + 10 })])
      same(await insertOne(store, make.token(), 1, NOW + 9), 'limit', 'a millisecond before')
      same(await insertOne(store, make.token(), 1, NOW + 10), 'inserted', 'at the expiry')
      same(await insertOne(store, make.token(), 1, NOW + 10), 'limit', 'the one after it')
    },
  },
  {
    rule: 'limits.revoked',
    title: 'does not count a revoked token, regardless of how it was revoked',
    async run({ store, make }) {
      const [one, two, three] = make.tokens(3) as [TokenRecord, TokenRecord, TokenRecord]
      await store.insertTokens([one, two, three])
      same(await insertOne(store, make.token(), 3), 'limit', 'before any revocation')
      await store.revoke(make.revocation('token', one.id))
      same(await insertOne(store, make.token(), 3), 'inserted', 'after the revocation of one')
      same(await insertOne(store, make.token(), 3), 'limit', 'the one after it')
      await store.revoke(make.revocation('subject', one.subject))
      const result = await store.insertTokens(make.tokens(3), { max: 3, now: NOW })
      same(result, 'inserted', 'three after the revocation of the subject')
      const born = { revokedAt: NOW, revokedBy: 'someone', subject: 'inserted as revoked' }
      await store.insertTokens([make.token(born)])
      same(
        await insertOne(store, make.token({ subject: born.subject }), 1),
        'inserted',
        'one inserted as revoked',
      )
    },
  },
  {
    rule: 'limits.rotated',
    title: 'does not count a token with a successor, even in its grace, but counts the successor',
    async run({ store, make }) {
      const token = make.token()
      await store.insertTokens([token])
      await store.succeed(token.id, make.successor(token), NOW + HOUR / 2)
      same(await insertOne(store, make.token(), 2), 'inserted', 'a second family')
      same(await insertOne(store, make.token(), 2), 'limit', 'a third family')
      const other = make.token({ subject: 'user:2' })
      await store.insertTokens([other])
      await store.succeed(other.id, make.successor(other), null)
      same(
        await insertOne(store, make.token({ subject: 'user:2' }), 1),
        'limit',
        'without an end of grace',
      )
    },
  },
  {
    rule: 'limits.rotated',
    title: 'rotates regardless of the limit, without changing the count',
    async run({ store, make }) {
      let head = make.token()
      await insertOne(store, head, 1)
      for (let generation = 1; generation <= 3; generation++) {
        const next = make.successor(head)
        same((await store.succeed(head.id, next, NOW)).outcome, 'succeeded', 'the rotation')
        same(await insertOne(store, make.token(), 1), 'limit', `after rotation ${generation}`)
        head = next
      }
      same(await insertOne(store, make.token(), 2), 'inserted', 'under a limit with room for one')
    },
  },
  {
    rule: 'limits.superseded',
    title: 'counts a token without a successor, even if superseded or not yet valid',
    async run({ store, make }) {
      const superseded = make.token()
      await store.insertTokens([superseded, make.token({ notBefore: NOW + 1 })])
      await store.supersede(superseded.id, NOW - 1)
      same(await insertOne(store, make.token(), 2), 'limit', 'a third of two')
      same(await insertOne(store, make.token(), 3), 'inserted', 'a third of three')
    },
  },
  {
    rule: 'limits.retry',
    title: 'returns the first result for a retry at the limit, and counts nothing twice',
    across: 'also',
    async run({ store, other, make }) {
      const batch = make.tokens(3)
      const limit = { max: 3, now: NOW }
      same(await store.insertTokens(batch, limit), 'inserted', 'the first time')
      same(await other.insertTokens(batch, limit), 'inserted', 'the retry')
      same(await other.insertTokens(batch, { max: 1, now: NOW }), 'inserted', 'a lower limit')
      same(await store.listTokens({}, { limit: 9 }), batch, 'the tokens')
      same(await insertOne(store, make.token(), 4), 'inserted', 'one more under a higher limit')
      same(await insertOne(store, make.token(), 4), 'limit', 'one too many')
    },
  },
]
