import { describe, expect, it } from 'vitest'
import type { Policy } from '../../../src/policy/policy.js'
import { fixtures, HOUR, NOW } from '../../../src/testkit/store/fixtures.js'
import type { TokenClaims } from '../../../src/token/claims.js'
import { type EntrySource, entryOf } from '../../../src/verbs/entry.js'

const make = fixtures('entry')
const TOLERANCE_MS = 5000

const policyOf = (change: Partial<Policy> = {}): Policy => ({
  name: 'job',
  brand: undefined,
  ttlMs: HOUR,
  scopes: ['orders:*'],
  rotateAfter: { share: 0.5 },
  graceMs: 60_000,
  rotations: { burst: 10, everyMs: HOUR },
  maxLifetimeMs: 24 * HOUR,
  maxActivePerSubject: undefined,
  require: [],
  auditRequired: false,
  version: 1,
  minVersion: 1,
  reuse: 'alert',
  retireOn: 'grace',
  ...change,
})

/** The entry of a token with these claims; a policy is configured unless `source` says otherwise. */
function entry(claims: Partial<TokenClaims> = {}, source: Partial<EntrySource> = {}) {
  const row = make.token({ scopes: ['orders:read', 'users:read'] })
  return entryOf(
    { ...row, issuer: 'https://auth.acme.example', custom: {}, ...claims },
    {
      record: make.key({ expiresAt: NOW + 24 * HOUR }),
      binding: '',
      print: [11, 12, 13, 14],
      custom: {},
      policy: policyOf(),
      clockToleranceMs: TOLERANCE_MS,
      ...source,
    },
  )
}

describe('the entry of an authentic token', () => {
  it('is marked as authentic in the entry and in the result', () => {
    const { ok, principal } = entry()
    expect([ok, principal.ok]).toEqual([true, true])
  })

  it('has the four words of its fingerprint, in their order', () => {
    const { print0, print1, print2, print3 } = entry()
    expect([print0, print1, print2, print3]).toEqual([11, 12, 13, 14])
  })

  it('was not checked against any version of the revocation index', () => {
    expect(entry().clearedVersion).toBeLessThan(0)
  })

  it('has the policy and the scopes that the token states if the policy is not configured', () => {
    const { principal, outdated, retiresPredecessor } = entry(
      { generation: 1 },
      { policy: undefined },
    )
    expect(principal).toMatchObject({
      policy: 'job',
      scopes: ['orders:read', 'users:read'],
      rotateAt: principal.expiresAt,
    })
    expect([outdated, retiresPredecessor]).toEqual([false, false])
  })

  it('has only the scopes that its policy still grants', () => {
    expect(entry().principal.scopes).toEqual(['orders:read'])
  })

  it('is outdated if its policy version is below the minimum', () => {
    const outdated = (policyVersion: number, minVersion: number) =>
      entry({ policyVersion }, { policy: policyOf({ minVersion }) }).outdated
    expect([outdated(1, 2), outdated(2, 2), outdated(3, 2)]).toEqual([true, false, false])
  })

  it('retires a predecessor only if it has one and its policy retires on first use', () => {
    const retires = (generation: number, retireOn: Policy['retireOn']) =>
      entry({ generation }, { policy: policyOf({ retireOn }) }).retiresPredecessor
    expect([0, 1, 2].map((generation) => retires(generation, 'first-use'))).toEqual([
      false,
      true,
      true,
    ])
    expect([0, 1, 2].map((generation) => retires(generation, 'grace'))).toEqual([
      false,
      false,
      false,
    ])
  })

  it('is valid from the later of its issue time and its start, less the clock tolerance', () => {
    const from = (issuedAt: number, notBefore: number | null) =>
      entry({ issuedAt, notBefore }).validFrom + TOLERANCE_MS
    expect(from(NOW, null)).toBe(NOW)
    expect(from(NOW, NOW - 1)).toBe(NOW)
    expect(from(NOW, NOW + 1)).toBe(NOW + 1)
    expect(from(0, null)).toBe(0)
  })

  it('ends with the token or with its key, whichever is first', () => {
    const end = (expiresAt: number, keyEnd: number) =>
      entry({ expiresAt }, { record: make.key({ expiresAt: keyEnd }) }).end
    expect(end(NOW + 1, NOW + 2)).toBe(NOW + 1)
    expect(end(NOW + 3, NOW + 2)).toBe(NOW + 2)
  })
})
