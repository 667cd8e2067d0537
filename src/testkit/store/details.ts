/**
 * The details of tokens.
 *
 * @module
 */
import type { Store, TokenDetails, TokenRecord } from '../../store/store.js'
import { atOnce, count } from './at-once.js'
import { present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'
import { strangeIds, TEXTS } from './texts.js'

const DETAILS = { label: 'Nightly export', owner: 'team:billing', purpose: 'Reads all orders' }
const ONE: TokenDetails = { ...DETAILS, detailsTag: 'v4.local.one' }
const TWO: TokenDetails = {
  label: 'nightly export',
  owner: 'team:data',
  purpose: null,
  detailsTag: 'v4.local.two',
}
const NONE: TokenDetails = { label: null, owner: null, purpose: null, detailsTag: '' }

const ownersOf = async (store: Store, owner: string) =>
  (await store.listTokens({ owner }, { limit: 99 })).map(({ id }) => id)

async function expectRecord(store: Store, record: TokenRecord, what: string): Promise<void> {
  same(await store.getToken(record.id), record, what)
}

export const detailCases: readonly StoreCase[] = [
  {
    rule: 'details.round-trip',
    title: 'returns details exactly as inserted, regardless of their content',
    across: 'also',
    async run({ store, other, make }) {
      const records = [
        make.token(),
        make.token({ ...ONE, hint: 'Ab_-' }),
        make.token({ label: 'only a label' }),
        make.token({ owner: 'only an owner' }),
        make.token({ purpose: 'only a purpose' }),
        make.token({ hint: '0000' }),
        make.token({
          label: '語'.repeat(128),
          owner: '語'.repeat(256),
          purpose: '語'.repeat(512),
          detailsTag: `v4.local.${'A'.repeat(86)}`,
        }),
        ...TEXTS.map((text) =>
          make.token({ label: text, owner: text, purpose: text, hint: 'x_-9', detailsTag: text }),
        ),
      ]
      await store.insertTokens(records)
      same(await other.listTokens({}, { limit: 200 }), records, 'the records')
    },
  },
  {
    rule: 'details.update',
    title: 'replaces the details of one token if its tag is still the expected one',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token({ ...ONE, hint: 'Ab_-' })
      const bystander = make.token({ ...ONE, hint: 'Zz_-' })
      await store.insertTokens([token, bystander])
      for (const wrong of ['', 'V4.local.one', 'v4.local.one ', 'v4.local.two', 'x']) {
        const result = await other.updateDetails(token.id, wrong, TWO)
        same(result, false, `the result, expecting ${wrong}`)
      }
      await expectRecord(store, token, 'the record after wrong expectations')
      same(await other.updateDetails(token.id, ONE.detailsTag, TWO), true, 'the result')
      await expectRecord(store, { ...token, ...TWO }, 'the record after it')
      await expectRecord(store, bystander, 'an unrelated token')
      const late = await store.updateDetails(token.id, ONE.detailsTag, NONE)
      same(late, false, 'the result of a late call')
      same(await store.updateDetails(token.id, TWO.detailsTag, NONE), true, 'the removal')
      await expectRecord(other, { ...token, ...NONE }, 'the record without details')
      same(await other.updateDetails(token.id, '', ONE), true, 'the result for an empty tag')
      await expectRecord(store, token, 'the record at the end')
    },
  },
  {
    rule: 'details.update-other',
    title: 'changes no other field, whether the token was rotated, revoked, used or has expired',
    async run({ store, make }) {
      const record = make.token({
        ...ONE,
        hint: 'Ab_-',
        generation: 7,
        predecessor: make.id(),
        successor: make.id(),
        notBefore: NOW + 1,
        supersededAt: NOW + 2,
        revokedAt: NOW + 3,
        revokedBy: 'operator',
        revokedReason: 'a reason',
        lastUsedAt: NOW + 4,
        expiresAt: 1,
      })
      await store.insertTokens([record])
      same(await store.updateDetails(record.id, ONE.detailsTag, TWO), true, 'the result')
      await expectRecord(store, { ...record, ...TWO }, 'the record')
    },
  },
  {
    rule: 'details.update-missing',
    title: 'updates nothing for an id that does not exist',
    async run({ store, make }) {
      const token = make.token()
      await store.insertTokens([token])
      for (const id of [make.id(), ...strangeIds(token.id)]) {
        const result = await store.updateDetails(id, '', ONE)
        same(result, false, `the result for ${JSON.stringify(id.slice(0, 60))}`)
      }
      same(await store.listTokens({}, { limit: 9 }), [token], 'the records')
    },
  },
  {
    rule: 'details.lists',
    title: 'lists a token by its current owner',
    across: 'also',
    async run({ store, other, make }) {
      const [token, bystander] = [make.token(ONE), make.token({ ...ONE, detailsTag: 'other' })]
      await store.insertTokens([token, bystander])
      await store.updateDetails(token.id, ONE.detailsTag, TWO)
      same(await ownersOf(other, 'team:billing'), [bystander.id], 'the tokens of the old owner')
      same(await ownersOf(other, 'team:data'), [token.id], 'the tokens of the new owner')
      await other.updateDetails(token.id, TWO.detailsTag, NONE)
      same(await ownersOf(store, 'team:data'), [], 'the tokens of an owner that was removed')
      await other.updateDetails(token.id, '', ONE)
      same(await ownersOf(store, 'team:billing'), [token.id, bystander.id], 'the tokens at the end')
    },
  },
  {
    rule: 'details.succession',
    title: 'rotates only to a successor with the current details of the token',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token({ ...ONE, hint: 'Ab_-' })
      await store.insertTokens([token])
      const successor = make.successor(token)
      const stale = [
        make.successor(token, { label: 'another' }),
        make.successor(token, { owner: null }),
        make.successor(token, { purpose: 'another' }),
        make.successor(token, { hint: 'Ab_ ' }),
        make.successor(token, { ...NONE, hint: null }),
      ]
      const changed = { outcome: 'changed', predecessor: token }
      for (const each of stale)
        same(await store.succeed(token.id, each, NOW), changed, 'the result')
      await store.updateDetails(token.id, ONE.detailsTag, TWO)
      const updated = { ...token, ...TWO }
      same(
        await other.succeed(token.id, successor, NOW),
        { outcome: 'changed', predecessor: updated },
        'the result after an update',
      )
      same(await store.listTokens({}, { limit: 9 }), [updated], 'the records')
      const next = make.successor(updated, { detailsTag: 'v4.local.next' })
      same(await store.succeed(token.id, next, NOW + HOUR), { outcome: 'succeeded' }, 'the result')
      const linked = { ...updated, successor: next.id, supersededAt: NOW + HOUR }
      same(await other.listTokens({}, { limit: 9 }), [linked, next], 'the records at the end')
      same(
        await other.succeed(token.id, successor, NOW),
        { outcome: 'already', predecessor: linked, successor: next },
        'the result of a stale rotation after it',
      )
    },
  },
  {
    rule: 'details.succession',
    title: 'reports a revoked token as revoked, even if the details of the successor are outdated',
    async run({ store, make }) {
      const token = make.token(ONE)
      await store.insertTokens([token])
      await store.revoke(make.revocation('token', token.id))
      const stale = make.successor(token, { owner: 'another' })
      same(await store.succeed(token.id, stale, NOW), { outcome: 'revoked' }, 'the result')
    },
  },
  {
    rule: 'races.details',
    title: 'lets one of twelve concurrent updates of a token succeed',
    across: 'also',
    async run({ store, other, make }) {
      const token = make.token(ONE)
      await store.insertTokens([token])
      const nexts = Array.from({ length: 12 }, (_, index) => ({
        ...DETAILS,
        owner: `owner ${index}`,
        detailsTag: `v4.local.next${index}`,
      }))
      const results = await atOnce([store, other], nexts, (one, next) =>
        one.updateDetails(token.id, ONE.detailsTag, next),
      )
      same(count(results, Boolean), 1, 'the number that succeeded')
      const winner = present(nexts[results.indexOf(true)], 'the winner')
      await expectRecord(store, { ...token, ...winner }, 'the record')
      for (const { owner } of nexts) {
        const expected = owner === winner.owner ? [token.id] : []
        same(await ownersOf(store, owner), expected, `the tokens of ${owner}`)
      }
    },
  },
]
