/**
 * Rotation against revocation: nothing that was revoked has a successor.
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

/** What each kind of revocation names in a token. */
function targetOf(kind: RevocationKind, { id, family, subject, keyId, audience }: TokenRecord) {
  return { token: id, family, subject, key: keyId, audience, all: '' }[kind]
}

const KINDS: readonly RevocationKind[] = ['token', 'family', 'subject', 'key', 'audience', 'all']
const WATERMARKS: readonly RevocationKind[] = ['subject', 'audience', 'all']
const ABSOLUTE: readonly RevocationKind[] = ['token', 'family', 'key']

/** Refused, and nothing written. */
async function expectRefused(
  store: Store,
  predecessor: TokenRecord,
  successor: TokenRecord,
  what: string,
): Promise<void> {
  const before = await store.getToken(predecessor.id)
  const answer = await store.succeed(predecessor.id, successor, NOW)
  same(answer, REVOKED, `the answer of succeed, ${what}`)
  same(await store.getToken(predecessor.id), before, `the predecessor, ${what}`)
  same(await store.getToken(successor.id), undefined, `the successor, ${what}`)
}

/** A succession under a kept revocation that was there before the predecessor, which therefore bears no mark. */
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
    title: 'a predecessor that was revoked has no successor, whatever revoked it',
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
    title: 'nor is a revoked predecessor told of a successor it had',
    async run({ store, make }) {
      const token = make.token()
      await store.insertTokens([token])
      const winner = make.successor(token)
      await store.succeed(token.id, winner, NOW + HOUR)
      await store.revoke(make.revocation('family', token.family))
      await expectRefused(store, token, make.successor(token), 'the family revoked')
      await expectRefused(store, token, make.successor(token), 'a second time')
      await expectRefused(store, winner, make.successor(winner), 'and of the winner')
    },
  },
  {
    rule: 'succession.kept-absolute',
    title: 'a kept revocation of token, family or key holds for what is inserted later, always',
    across: 'also',
    async run({ store, other, make }) {
      for (const kind of ABSOLUTE) {
        const token = make.token({ subject: kind, keyId: make.keyId() })
        const long = { before: 0, at: 1 }
        const kept = make.revocation(kind, targetOf(kind, token), long)
        const successor = await underKept(store, make, kept, token)
        await expectRefused(other, token, successor, `a kept revocation of the ${kind}`)
      }
    },
  },
  {
    rule: 'succession.kept-watermark',
    title: 'one of subject, audience or all holds for families up to its time, and no later',
    async run({ store, make }) {
      for (const [index, kind] of WATERMARKS.entries()) {
        const before = NOW + index * HOUR
        const names = { subject: kind, audience: `${kind}.example`, keyId: make.keyId() }
        const token = (familyIssuedAt: number) => make.token({ ...names, familyIssuedAt })
        const dead = token(before)
        const kept = make.revocation(kind, targetOf(kind, dead), { before })
        const successor = await underKept(store, make, kept, dead)
        await expectRefused(store, dead, successor, `${kind}: a family of its very time`)
        const older = token(before - HOUR)
        await store.insertTokens([older])
        // A successor is issued later than the watermark; what counts is the first token of its family.
        const late = make.successor(older, { issuedAt: before + HOUR })
        await expectRefused(store, older, late, `${kind}: an older family`)
        const live = token(before + 1)
        await store.insertTokens([live])
        const answer = await store.succeed(live.id, make.successor(live), null)
        same(answer, SUCCEEDED, `${kind}: a family of a millisecond later`)
      }
    },
  },
  {
    rule: 'succession.kept-watermark',
    title: 'of several kept revocations the latest time decides, in whatever order they came',
    async run({ store, make }) {
      const { shuffled } = make
      const times = shuffled([NOW - HOUR, NOW + HOUR, NOW, NOW - 2 * HOUR])
      for (const before of times)
        await store.revoke(make.revocation('subject', 'user:1', { before }))
      const dead = make.token({ familyIssuedAt: NOW + HOUR })
      const live = make.token({ familyIssuedAt: NOW + HOUR + 1 })
      await store.insertTokens([dead, live])
      await expectRefused(store, dead, make.successor(dead), 'at the latest of the times')
      same(await store.succeed(live.id, make.successor(live), null), SUCCEEDED, 'after all of them')
    },
  },
  {
    rule: 'succession.kept-other',
    title: 'a kept revocation of another value or kind holds nobody back',
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
      same(await store.succeed(token.id, make.successor(token), null), SUCCEEDED, 'the answer')
    },
  },
  {
    rule: 'succession.kept-key',
    title: 'a successor under a revoked key is refused, and so is a predecessor under one',
    async run({ store, make }) {
      const [old, fresh, other] = [make.keyId(), make.keyId(), make.keyId()]
      await store.revoke(make.revocation('key', fresh, { before: 0 }))
      const token = make.token({ keyId: old })
      await store.insertTokens([token])
      const sealed = make.successor(token, { keyId: fresh })
      await expectRefused(store, token, sealed, "the successor's key revoked")
      const good = make.successor(token, { keyId: other })
      same(await store.succeed(token.id, good, null), SUCCEEDED, 'under a key that is not revoked')
      const late = make.token({ keyId: fresh })
      await store.insertTokens([late])
      const moved = make.successor(late, { keyId: other })
      await expectRefused(store, late, moved, "the predecessor's key revoked")
    },
  },
]
