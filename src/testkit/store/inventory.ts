/**
 * The filters, the order and the count of the inventory.
 *
 * @module
 */
import type { Store, TokenFilter, TokenRecord } from '../../store/store.js'
import { present, type StoreCase, same } from './case.js'
import { expectFiltered } from './filtered.js'
import { HOUR, NOW } from './fixtures.js'
import { strangeIds, TEXTS } from './texts.js'

const idsOf = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id)
const REVOKED = { revokedAt: NOW, revokedBy: 'someone', revokedReason: null }

async function newestFirst(store: Store, filter: TokenFilter, limit: number): Promise<string[]> {
  const ids: string[] = []
  let after: string | undefined
  for (let pages = 0; pages < 200; pages++) {
    const page = { limit, order: 'newest' as const, ...(after === undefined ? {} : { after }) }
    const rows = await store.listTokens(filter, page)
    ids.push(...idsOf(rows))
    after = rows.at(-1)?.id
    if (rows.length < limit) break
  }
  return ids
}

export const inventoryCases: readonly StoreCase[] = [
  {
    rule: 'lists.owner',
    title: 'lists and counts the tokens of exactly this owner',
    async run({ store, make }) {
      const texts = TEXTS.slice(0, 40)
      const records = [...texts.map((owner) => make.token({ owner })), make.token()]
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        ...texts.map((owner, index) => [{ owner }, [index]] as const),
        [{ owner: '' }, []],
        [{ owner: 'alice', subject: 'user:1' }, [0]],
        [{ owner: 'alice', subject: 'user:2' }, []],
        ...['\ud800', 'alice\0', '\0', ...strangeIds('alice').slice(8, 14)]
          .filter((owner) => !texts.includes(owner))
          .map((owner) => [{ owner }, []] as const),
      ])
    },
  },
  {
    rule: 'lists.issuer',
    title: 'lists and counts the tokens that exactly this actor issued',
    async run({ store, make }) {
      const texts = TEXTS.slice(0, 40)
      const records = texts.map((issuedBy) => make.token({ issuedBy, owner: 'alice' }))
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        ...texts.map((issuedBy, index) => [{ issuedBy }, [index]] as const),
        [{ issuedBy: 'alice', owner: 'alice', subject: 'user:1' }, [0]],
        [{ issuedBy: 'alice', owner: 'bob' }, []],
        [{ issuedBy: '' }, []],
        [{ issuedBy: '\ud800' }, []],
        [{ issuedBy: 'alice\0' }, []],
      ])
    },
  },
  {
    rule: 'lists.revoked',
    title: 'lists and counts the revoked tokens, or those that are not revoked',
    async run({ store, make }) {
      const records = [
        make.token(),
        make.token(REVOKED),
        make.token({ supersededAt: NOW, successor: make.id() }),
        make.token({ expiresAt: 1 }),
        make.token({ ...REVOKED, revokedAt: 0, expiresAt: 1 }),
      ]
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        [{ revoked: true }, [1, 4]],
        [{ revoked: false }, [0, 2, 3]],
        [{ revoked: true, subject: 'user:1', policy: 'job' }, [1, 4]],
        [{ revoked: true, subject: 'user:2' }, []],
        [{ revoked: true, liveAt: NOW }, []],
        [{ revoked: false, liveAt: NOW }, [0]],
      ])
    },
  },
  {
    rule: 'lists.revoked',
    title: 'applies the filter for revoked tokens to later revocations',
    across: 'also',
    async run({ store, other, make }) {
      const [one, two, three] = [
        make.token({ subject: 'a' }),
        make.token({ subject: 'b' }),
        make.token({ subject: 'a' }),
      ]
      await store.insertTokens([one, two, three])
      await store.revoke(make.revocation('subject', 'a'))
      const revoked = await other.listTokens({ revoked: true }, { limit: 9 })
      same(idsOf(revoked), [one.id, three.id], 'the revoked tokens')
      same(await other.countTokens({ revoked: true }), 2, 'the number of revoked tokens')
      const spared = await other.listTokens({ revoked: false }, { limit: 9 })
      same(idsOf(spared), [two.id], 'the other tokens')
    },
  },
  {
    rule: 'lists.expires-before',
    title: 'lists and counts the tokens that expire before a time, to the millisecond',
    async run({ store, make }) {
      const records = [
        make.token({ expiresAt: NOW + 9 }),
        make.token({ expiresAt: NOW + 10 }),
        make.token({ expiresAt: NOW + 11 }),
        make.token({ expiresAt: 1, ...REVOKED }),
        make.token({ expiresAt: NOW + HOUR, supersededAt: NOW }),
      ]
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        [{ expiresBefore: 0 }, []],
        [{ expiresBefore: 1 }, []],
        [{ expiresBefore: 2 }, [3]],
        [{ expiresBefore: NOW + 10 }, [0, 3]],
        [{ expiresBefore: NOW + 11 }, [0, 1, 3]],
        [{ expiresBefore: NOW + 11, liveAt: NOW + 9 }, [1]],
        [{ expiresBefore: NOW + 11, revoked: false }, [0, 1]],
        [{ expiresBefore: NOW + 2 * HOUR }, [0, 1, 2, 3, 4]],
        [{ expiresBefore: NOW + 2 * HOUR, subject: 'user:2' }, []],
      ])
    },
  },
  {
    rule: 'lists.unused',
    title:
      'lists and counts the tokens issued before a time and not used since, to the millisecond',
    async run({ store, make }) {
      const records = [
        make.token({ issuedAt: NOW - 5 }),
        make.token({ issuedAt: NOW - 5, lastUsedAt: NOW - 1 }),
        make.token({ issuedAt: NOW - 5, lastUsedAt: NOW }),
        make.token({ issuedAt: NOW - 5, lastUsedAt: NOW + 1 }),
        make.token({ issuedAt: NOW - 1 }),
        make.token({ issuedAt: NOW }),
        make.token({ issuedAt: NOW + 1 }),
        make.token({ issuedAt: NOW + 1, lastUsedAt: 0 }),
        make.token({ ...REVOKED, issuedAt: 0, lastUsedAt: 0, owner: 'alice' }),
      ]
      await store.insertTokens(make.shuffled(records))
      await expectFiltered(store, records, [
        [{ unusedBefore: 0 }, []],
        [{ unusedBefore: 1 }, [8]],
        [{ unusedBefore: NOW }, [0, 1, 4, 8]],
        [{ unusedBefore: NOW + 1 }, [0, 1, 2, 4, 5, 8]],
        [{ unusedBefore: NOW + HOUR }, [0, 1, 2, 3, 4, 5, 6, 7, 8]],
        [{ unusedBefore: NOW, revoked: false }, [0, 1, 4]],
        [{ unusedBefore: NOW, liveAt: NOW, subject: 'user:1' }, [0, 1, 4]],
        [{ unusedBefore: NOW, owner: 'alice' }, [8]],
        [{ unusedBefore: NOW, subject: 'user:2' }, []],
      ])
      await store.recordUsage([{ id: present(records[0], 'a token').id, at: NOW }])
      same(await store.countTokens({ unusedBefore: NOW }), 3, 'the number after one was used')
    },
  },
  {
    rule: 'lists.newest',
    title: 'returns the newest tokens first in pages of any length',
    async run({ store, make }) {
      const mine = make.tokens(8, { owner: 'me' })
      const others = make.tokens(8, { subject: 'user:2', issuedBy: 'robot' })
      const all = [...mine, ...others]
      await store.insertTokens(make.shuffled(all))
      const reversed = [...all].reverse()
      same(await store.listTokens({}, { limit: 99, order: 'newest' }), reversed, 'the tokens')
      same(await store.listTokens({}, { limit: 99, order: 'oldest' }), all, 'the oldest first')
      const filters: readonly (readonly [TokenFilter, readonly TokenRecord[]])[] = [
        [{}, all],
        [{ owner: 'me' }, mine],
        [{ subject: 'user:2' }, others],
        [{ issuedBy: 'robot' }, others],
        [{ liveAt: NOW }, all],
        [{ revoked: false }, all],
      ]
      for (const [filter, expected] of filters) {
        const ids = idsOf(expected).reverse()
        for (let limit = 1; limit <= ids.length + 1; limit += 3) {
          const what = `the pages of ${limit} by ${JSON.stringify(filter)}`
          same(await newestFirst(store, filter, limit), ids, what)
        }
      }
    },
  },
  {
    rule: 'lists.newest-after',
    title: 'continues from any text to older tokens, in binary order',
    async run({ store, make }) {
      const records = make.tokens(5)
      await store.insertTokens(records)
      const ids = idsOf(records)
      const from = async (after: string) =>
        idsOf(await store.listTokens({}, { limit: 99, order: 'newest', after }))
      const middle = present(ids[2], 'the third id')
      same(await from(middle), ids.slice(0, 2).reverse(), 'after an id')
      same(await from(present(ids[0], 'the first id')), [], 'after the oldest')
      same(await from(''), [], 'after the empty text')
      same(await from('0'), [], 'after a text less than every id')
      same(await from('Z'), [...ids].reverse(), 'after a text greater than every id')
      same(await from(`${middle}\0`), ids.slice(0, 3).reverse(), 'after a longer text')
      same(await from(`${middle}~`), ids.slice(0, 3).reverse(), 'after a missing id')
      await store.insertTokens(make.tokens(3))
      same(await from(middle), ids.slice(0, 2).reverse(), 'after newer tokens were inserted')
    },
  },
  {
    rule: 'lists.count',
    title: 'counts all matching tokens, however many there are',
    across: 'also',
    async run({ store, other, make }) {
      same(await store.countTokens({}), 0, 'the number in an empty store')
      const many = make.tokens(1203, { owner: 'me', expiresAt: NOW + HOUR })
      await store.insertTokens(many)
      await store.insertTokens(make.tokens(4, { subject: 'user:2', expiresAt: NOW }))
      same(await other.countTokens({}), 1207, 'the number of all')
      same(await other.countTokens({ owner: 'me' }), 1203, 'the number of an owner')
      same(await other.countTokens({ subject: 'user:2' }), 4, 'the number of a subject')
      same(await other.countTokens({ issuedBy: 'admin' }), 1207, 'the number of an issuer')
      same(await other.countTokens({ liveAt: NOW }), 1203, 'the number of live ones')
      same(await other.countTokens({ expiresBefore: NOW + 1 }), 4, 'the number of expired ones')
      same(await other.countTokens({ family: make.id() }), 0, 'the number of an unknown family')
      await store.purge({ tokens: NOW, keys: 0, revocations: 0 })
      same(await other.countTokens({}), 1203, 'the number after a purge')
    },
  },
]
