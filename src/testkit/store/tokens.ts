/**
 * Inserting records and reading them.
 *
 * @module
 */
import type { TokenRecord } from '../../store/store.js'
import { holds, present, type StoreCase, same } from './case.js'
import { HOUR, NOW } from './fixtures.js'

/** The latest time of a Date. */
const LAST_MOMENT = 8_640_000_000_000_000

const byId = (records: readonly TokenRecord[]) => new Map(records.map((row) => [row.id, row]))

/** Overwrites everything that a caller can overwrite in a record. */
function vandalise(record: TokenRecord): void {
  const open = record as unknown as { subject: string; revokedAt: number; scopes: string[] }
  open.subject = 'mallory'
  open.revokedAt = 1
  try {
    open.scopes.push('admin')
  } catch {
    // A frozen list is acceptable instead of a copy.
  }
}

export const tokenCases: readonly StoreCase[] = [
  {
    rule: 'tokens.round-trip',
    title: 'returns a record exactly as inserted',
    async run({ store, make }) {
      const full = make.token({
        family: make.id(),
        generation: 7,
        predecessor: make.id(),
        successor: make.id(),
        policyVersion: 42,
        notBefore: NOW + 1,
        supersededAt: NOW + 2,
        revokedAt: NOW + 3,
        revokedBy: 'operator',
        revokedReason: 'a reason',
        lastUsedAt: NOW + 4,
      })
      const records = [
        make.token(),
        full,
        make.token({ scopes: [] }),
        make.token({ scopes: ['z:last', 'a:first', 'm:middle', '*', '007'] }),
        make.token({ subject: '007', audience: '1e3', policy: '0x10', issuedBy: '1.0' }),
        make.token({ subject: 'null', audience: 'true', policy: 'undefined', issuedBy: '[]' }),
        make.token({ issuedAt: 0, notBefore: 0, familyIssuedAt: 0, expiresAt: 1, lastUsedAt: 0 }),
        make.token({ expiresAt: LAST_MOMENT - 1, familyExpiresAt: LAST_MOMENT }),
      ]
      for (const record of records) {
        same(await store.insertTokens([record]), 'inserted', 'the result of insertTokens')
        same(await store.getToken(record.id), record, 'the record returned by getToken')
      }
      const listed = await store.listTokens({}, { limit: 100 })
      same(byId(listed), byId(records), 'the records returned by listTokens')
    },
  },
  {
    rule: 'tokens.missing',
    title: 'returns undefined for a missing record',
    async run({ store, make }) {
      await store.insertTokens([make.token()])
      same(await store.getToken(make.id()), undefined, 'the result for an unknown id')
    },
  },
  {
    rule: 'tokens.batch',
    title: 'inserts a batch of a thousand in one call, and nothing for an empty batch',
    async run({ store, make }) {
      same(await store.insertTokens([]), 'inserted', 'the result for no records')
      const records = make.tokens(1000)
      same(await store.insertTokens(make.shuffled(records)), 'inserted', 'the result')
      same(await store.listTokens({}, { limit: 1001 }), records, 'the records')
    },
  },
  {
    rule: 'tokens.retry',
    title: 'changes nothing when the same ids are inserted again',
    async run({ store, make }) {
      const records = make.tokens(3)
      await store.insertTokens(records)
      same(await store.insertTokens(records), 'inserted', 'the result of a retry of the batch')
      same(await store.listTokens({}, { limit: 9 }), records, 'the records after a retry')
      const altered = records.map((record) => ({ ...record, subject: 'mallory', expiresAt: 1 }))
      same(await store.insertTokens(altered), 'inserted', 'the result of a retry with other values')
      same(await store.listTokens({}, { limit: 9 }), records, 'the records after that retry')
      const none = await store.listTokens({ subject: 'mallory' }, { limit: 9 })
      same(none, [], 'the records found by the values of the retry')
    },
  },
  {
    rule: 'tokens.retry-forward',
    title: 'does not undo revocation, supersession, succession or use on a late retry',
    across: 'also',
    async run({ store, other, make }) {
      const [rotated, revoked] = [make.token(), make.token()]
      await store.insertTokens([rotated, revoked])
      const successor = make.successor(rotated)
      await store.succeed(rotated.id, successor, NOW + HOUR / 2)
      await store.revoke(make.revocation('token', revoked.id))
      await store.recordUsage([{ id: rotated.id, at: NOW + 1 }])
      const before = await store.listTokens({}, { limit: 9 })
      same(await other.insertTokens([rotated, revoked]), 'inserted', 'the result of the retry')
      same(await other.insertTokens([successor]), 'inserted', 'the result for the successor')
      same(await store.listTokens({}, { limit: 9 }), before, 'the records after the retry')
      const state = present(await store.getToken(revoked.id), 'the revoked record')
      same(state.revokedAt, NOW + HOUR / 12, 'the time of revocation')
    },
  },
  {
    rule: 'tokens.all-or-none',
    title: 'writes no record of a batch beyond the limit',
    async run({ store, make }) {
      const kept = make.token()
      await store.insertTokens([kept])
      const batch = make.tokens(3)
      same(await store.insertTokens(batch, { max: 3, now: NOW }), 'limit', 'the result')
      same(await store.listTokens({}, { limit: 9 }), [kept], 'the records after it')
      for (const { id } of batch) same(await store.getToken(id), undefined, 'a record of the batch')
      same(await store.insertTokens(batch, { max: 4, now: NOW }), 'inserted', 'with room for it')
    },
  },
  {
    rule: 'tokens.copies',
    title: "is unaffected by changes to a caller's record",
    async run({ store, make }) {
      const token = make.token()
      const given = { ...token, scopes: [...token.scopes] }
      await store.insertTokens([given])
      vandalise(given)
      same(await store.getToken(token.id), token, 'the record after its input was changed')
      vandalise(present(await store.getToken(token.id), 'the record'))
      same(await store.getToken(token.id), token, 'the record after the result was changed')
      const [listed] = await store.listTokens({}, { limit: 1 })
      vandalise(present(listed, 'the listed record'))
      same(await store.getToken(token.id), token, 'the record after a listed one was changed')
    },
  },
  {
    rule: 'tokens.copies',
    title: 'is unaffected by changes to the records of a succession',
    async run({ store, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const successor = make.successor(token)
      const given = { ...successor, scopes: [...successor.scopes] }
      await store.succeed(token.id, given, null)
      vandalise(given)
      same(await store.getToken(successor.id), successor, 'the successor after its input changed')
      const again = await store.succeed(token.id, make.successor(token), null)
      holds(again.outcome === 'already', `the outcome of a second succession is ${again.outcome}`)
      vandalise(again.predecessor)
      vandalise(again.successor)
      const linked = { ...token, successor: successor.id }
      same(await store.getToken(token.id), linked, 'the predecessor after the result was changed')
      same(await store.getToken(successor.id), successor, 'the successor after it')
    },
  },
]
