/**
 * Rotation and revocation: a revoked token has no successor.
 *
 * @module
 */
import type {
  Revocation,
  RevocationKind,
  Store,
  Succession,
  TokenRecord,
} from '../../store/store.js'
import { type StoreCase, same } from './case.js'
import { type Fixtures, HOUR, NOW } from './fixtures.js'

const SUCCEEDED: Succession = { outcome: 'succeeded' }
const REVOKED: Succession = { outcome: 'revoked' }

/** The value in a token that each kind of revocation targets. */
function targetOf(kind: RevocationKind, { id, family, subject, keyId, audience }: TokenRecord) {
  return { token: id, family, subject, key: keyId, audience, all: '' }[kind]
}

const KINDS: readonly RevocationKind[] = ['token', 'family', 'subject', 'key', 'audience', 'all']
const WATERMARKS: readonly RevocationKind[] = ['subject', 'audience', 'all']
const ABSOLUTE: readonly RevocationKind[] = ['token', 'family', 'key']

/** Asserts that the rotation was refused and nothing was written. */
async function expectRefused(
  store: Store,
  predecessor: TokenRecord,
  successor: TokenRecord,
  what: string,
): Promise<void> {
  const before = await store.getToken(predecessor.id)
  const result = await store.succeed(predecessor.id, successor, NOW)
  same(result, REVOKED, `the result of succeed, ${what}`)
  same(await store.getToken(predecessor.id), before, `the predecessor, ${what}`)
  same(await store.getToken(successor.id), undefined, `the successor, ${what}`)
}

/** Rotates a predecessor inserted after a stored revocation, which therefore has no mark. */
async function underKept(
  store: Store,
  make: Fixtures,
  revocation: Revocation,
  token: TokenRecord,
): Promise<TokenRecord> {
  await store.revoke(revocation)
  await store.insertTokens([token])
  return make.successor(token)
}

export const refusalCases: readonly StoreCase[] = [
  {
    rule: 'succession.revoked',
    title: 'refuses to rotate a revoked predecessor, regardless of how it was revoked',
    across: 'also',
    async run({ store, other, make }) {
      for (const kind of KINDS) {
        const token = make.token({
          subject: kind,
          audience: `${kind}.example`,
          keyId: make.keyId(),
        })
        await store.insertTokens([token])
        await other.revoke(make.revocation(kind, targetOf(kind, token)))
        await expectRefused(store, token, make.successor(token), `the ${kind} revoked`)
      }
      const born = make.token({ revokedAt: NOW, familyIssuedAt: NOW + 1, keyId: make.keyId() })
      await store.insertTokens([born])
      await expectRefused(store, born, make.successor(born), 'inserted as revoked')
    },
  },
  {
    rule: 'succession.revoked',
    title: 'refuses to rotate a revoked predecessor that already has a successor',
    async run({ store, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const winner = make.successor(token)
      await store.succeed(token.id, winner, NOW + HOUR)
      await store.revoke(make.revocation('family', token.family))
      await expectRefused(store, token, make.successor(token), 'the family revoked')
      await expectRefused(store, token, make.successor(token), 'a second time')
      await expectRefused(store, winner, make.successor(winner), 'the winner again')
    },
  },
  {
    rule: 'succession.kept-absolute',
    title: 'applies a stored revocation of a token, family or key to later inserts, always',
    across: 'also',
    async run({ store, other, make }) {
      for (const kind of ABSOLUTE) {
        const token = make.token({ subject: kind, keyId: make.keyId() })
        const long = { before: 0, at: 1 }
        const kept = make.revocation(kind, targetOf(kind, token), long)
        const successor = await underKept(store, make, kept, token)
        await expectRefused(other, token, successor, `a stored revocation of the ${kind}`)
      }
    },
  },
  {
    rule: 'succession.kept-watermark',
    title: 'applies one of a subject, an audience or all to families up to its time, and no later',
    async run({ store, make }) {
      for (const [index, kind] of WATERMARKS.entries()) {
        const before = NOW + index * HOUR
        const names = { subject: kind, audience: `${kind}.example`, keyId: make.keyId() }
        const token = (familyIssuedAt: number) => make.token({ ...names, familyIssuedAt })
        const dead = token(before)
        const kept = make.revocation(kind, targetOf(kind, dead), { before })
        const successor = await underKept(store, make, kept, dead)
        await expectRefused(store, dead, successor, `${kind}: a family of exactly its time`)
        const older = token(before - HOUR)
        await store.insertTokens([older])
        // A successor is issued after the watermark; the first token of its family decides.
        const late = make.successor(older, { issuedAt: before + HOUR })
        await expectRefused(store, older, late, `${kind}: an older family`)
        const live = token(before + 1)
        await store.insertTokens([live])
        const result = await store.succeed(live.id, make.successor(live), null)
        same(result, SUCCEEDED, `${kind}: a family a millisecond later`)
      }
    },
  },
  {
    rule: 'succession.kept-watermark',
    title: 'applies the latest time of several stored revocations, regardless of their order',
    async run({ store, make }) {
      const { shuffled } = make
      const times = shuffled([NOW - HOUR, NOW + HOUR, NOW, NOW - 2 * HOUR])
      for (const before of times)
        await store.revoke(make.revocation('subject', 'user:1', { before }))
      const dead = make.token({ familyIssuedAt: NOW + HOUR })
      const live = make.token({ familyIssuedAt: NOW + HOUR + 1 })
      await store.insertTokens([dead, live])
      await expectRefused(store, dead, make.successor(dead), 'at the latest time')
      same(
        await store.succeed(live.id, make.successor(live), null),
        SUCCEEDED,
        'after the latest time',
      )
    },
  },
  {
    rule: 'succession.kept-other',
    title: 'does not apply a stored revocation of another value or kind',
    async run({ store, make }) {
      const token = make.token({ keyId: make.keyId() })
      const [subject, { audience }] = ['someone', token]
      for (const kind of KINDS.filter((kind) => kind !== 'all')) {
        const values = [make.id(), make.keyId(), subject, `${targetOf(kind, token)} `]
        for (const value of values) await store.revoke(make.revocation(kind, value))
      }
      await store.revoke(make.revocation('subject', audience))
      await store.revoke(make.revocation('audience', token.subject))
      await store.revoke(make.revocation('token', token.family.toLowerCase()))
      await store.insertTokens([token])
      same(await store.succeed(token.id, make.successor(token), null), SUCCEEDED, 'the result')
    },
  },
  {
    rule: 'succession.kept-key',
    title: 'refuses a successor or a predecessor with a revoked key',
    async run({ store, make }) {
      const [old, fresh, other] = [make.keyId(), make.keyId(), make.keyId()]
      await store.revoke(make.revocation('key', fresh, { before: 0 }))
      const token = make.token({ keyId: old })
      await store.insertTokens([token])
      const sealed = make.successor(token, { keyId: fresh })
      await expectRefused(store, token, sealed, "the successor's key revoked")
      const good = make.successor(token, { keyId: other })
      same(await store.succeed(token.id, good, null), SUCCEEDED, 'a key that is not revoked')
      const late = make.token({ keyId: fresh })
      await store.insertTokens([late])
      const moved = make.successor(late, { keyId: other })
      await expectRefused(store, late, moved, "the predecessor's key revoked")
    },
  },
]
