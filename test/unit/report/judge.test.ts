/**
 * What a report says about one token, and when it says that it does not know.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { limitsOf, type RestrictionState } from '../../../src/policy/limits.js'
import { type Facts, judge } from '../../../src/report/judge.js'
import type { Coverage, FindingKind } from '../../../src/report/types.js'
import type { TokenUse } from '../../../src/report/use.js'
import type { TokenInfo } from '../../../src/verbs/inputs.js'
import { DAY, HOUR } from '../../support/constants.js'

const NOW = Date.UTC(2026, 5, 1)
const COMPLETE: Coverage = { complete: true, kept: true, gaps: [] }
const UNUSED: Omit<TokenUse, 'token'> = { requests: 0, lastUsedAt: null, scopes: new Map() }

const TOKEN: TokenInfo = {
  id: '01J00000000000000000000000',
  family: '01J00000000000000000000000',
  generation: 0,
  predecessor: null,
  successor: null,
  subject: 'svc_billing',
  audience: 'orders-api',
  policy: 'service',
  policyVersion: 2,
  scopes: ['orders:read', 'orders:write'],
  keyId: 'k4.lid.one',
  issuedAt: NOW - 10 * DAY,
  notBefore: null,
  expiresAt: NOW + 80 * DAY,
  familyIssuedAt: NOW - 10 * DAY,
  familyExpiresAt: NOW + 300 * DAY,
  issuedBy: 'ops',
  ttl: 90 * DAY,
  rotatable: true,
  label: null,
  owner: 'team-a',
  purpose: null,
  hint: null,
  supersededAt: null,
  revokedAt: null,
  revokedBy: null,
  revokedReason: null,
  lastUsedAt: null,
}

const facts = (given: Partial<Facts> = {}): Facts => ({
  window: { from: NOW - 30 * DAY, to: NOW },
  coverage: COMPLETE,
  longLivedMs: 365 * DAY,
  policy: (name) =>
    name === 'service'
      ? {
          name,
          brand: undefined,
          ttlMs: 90 * DAY,
          scopes: ['orders:*'],
          rotateAfter: { share: 0.7 },
          graceMs: 0,
          rotations: { burst: 1, everyMs: DAY },
          maxLifetimeMs: 365 * DAY,
          maxActivePerSubject: undefined,
          require: [],
          auditRequired: false,
          version: 2,
          minVersion: 1,
          reuse: 'observe',
          retireOn: 'grace',
        }
      : undefined,
  replaced: () => 0,
  limits: () => undefined,
  ...given,
})

type Use = Omit<TokenUse, 'token'>
const use = (given: Partial<Use>): Use => ({ ...UNUSED, ...given })
const gap = (from: number, to: number): Coverage => ({
  complete: false,
  kept: true,
  gaps: [{ node: 'web-7', from, to }],
})

const kinds = (token: Partial<TokenInfo>, used: Use, given: Partial<Facts> = {}) =>
  judge({ ...used, token: { ...TOKEN, ...token } }, facts(given)).map(({ kind }) => kind)

const used = use({
  requests: 2,
  lastUsedAt: NOW - DAY,
  scopes: new Map([
    ['orders:read', 1],
    ['orders:write', 1],
  ]),
})

describe('the findings about a token', () => {
  it('are none for a token that is used as it was issued', () => {
    expect(kinds({}, used)).toEqual([])
  })

  it('call a token never used if all use since it was issued is known', () => {
    expect(kinds({}, UNUSED)).toEqual<FindingKind[]>(['never_used'])
  })

  it('call a token idle, and not never used, if it is older than the window', () => {
    expect(kinds({ issuedAt: NOW - 40 * DAY }, UNUSED)).toEqual<FindingKind[]>(['idle'])
    const old = use({ lastUsedAt: NOW - 31 * DAY })
    const [found] = judge({ ...old, token: { ...TOKEN, issuedAt: NOW - 40 * DAY } }, facts())
    expect(found?.kind).toBe('idle')
    expect(found?.evidence).toBe('not accepted within 30 days; last used on 2026-05-01')
  })

  it('say nothing about the use of a token that is a few days old', () => {
    expect(kinds({ issuedAt: NOW - 6 * DAY }, UNUSED)).toEqual([])
    expect(kinds({ issuedAt: NOW - 6 * DAY }, use({ requests: 1, lastUsedAt: NOW }))).toEqual([])
  })

  it('say unknown with the node and the interval if a part of its life is not covered', () => {
    const coverage = gap(NOW - 3 * HOUR, NOW - 2 * HOUR)
    const [found, ...more] = judge({ ...UNUSED, token: TOKEN }, facts({ coverage }))
    expect(more).toEqual([])
    expect(found).toMatchObject({ kind: 'unknown', risk: 'low', id: TOKEN.id, owner: 'team-a' })
    expect(found?.evidence).toContain(
      'node web-7 is not known from 2026-05-31 21:00 UTC to 2026-05-31 22:00 UTC',
    )
  })

  it('say unknown for all nodes if counts were not kept yet', () => {
    const gaps = [{ node: null, from: NOW - 20 * DAY, to: NOW - 9 * DAY }]
    const coverage: Coverage = { complete: false, kept: true, gaps }
    const [found] = judge({ ...UNUSED, token: TOKEN }, facts({ coverage }))
    expect(found?.evidence).toContain('the use on any node is not known')
  })

  it('give short windows in hours', () => {
    const window = (hours: number) => ({ window: { from: NOW - hours * HOUR, to: NOW } })
    expect(judge({ ...UNUSED, token: TOKEN }, facts(window(1)))[0]?.evidence).toBe(
      'not accepted within 1 hour',
    )
    expect(judge({ ...UNUSED, token: TOKEN }, facts(window(30)))[0]?.evidence).toBe(
      'not accepted within 30 hours',
    )
    expect(judge({ ...UNUSED, token: TOKEN }, facts(window(48)))[0]?.evidence).toBe(
      'not accepted within 2 days',
    )
  })

  it('ignore a gap from before the token was issued', () => {
    const coverage = gap(NOW - 20 * DAY, NOW - 10 * DAY)
    expect(kinds({}, UNUSED, { coverage })).toEqual<FindingKind[]>(['never_used'])
    expect(kinds({ issuedAt: NOW - 10 * DAY - 1 }, UNUSED, { coverage })).toEqual<FindingKind[]>([
      'unknown',
    ])
  })

  it('say unknown for a store that keeps no usage, unless a use was reported', () => {
    const coverage: Coverage = { complete: false, kept: false, gaps: [] }
    expect(kinds({}, UNUSED, { coverage })).toEqual<FindingKind[]>(['unknown'])
    expect(kinds({}, use({ lastUsedAt: NOW - DAY }), { coverage })).toEqual([])
  })

  it('name the scopes that no request required', () => {
    const one = use({ requests: 1, lastUsedAt: NOW, scopes: new Map([['orders:read', 1]]) })
    const [found] = judge({ ...one, token: TOKEN }, facts())
    expect(found?.kind).toBe('over_scoped')
    expect(found?.evidence).toBe('no request required orders:write within 10 days')
    const wild = { ...TOKEN, scopes: ['orders:*'] }
    expect(judge({ ...one, token: wild }, facts())).toEqual([])
  })

  it('name no scope as unneeded while a part of the use is not known', () => {
    const one = use({ requests: 1, lastUsedAt: NOW, scopes: new Map([['orders:read', 1]]) })
    expect(kinds({}, one, { coverage: gap(NOW - HOUR, NOW) })).toEqual([])
  })

  it('report a lifetime beyond the limit, and not one at the limit', () => {
    const limit = { longLivedMs: 90 * DAY }
    expect(kinds({}, used, limit)).toEqual([])
    expect(kinds({ expiresAt: NOW + 80 * DAY + 1 }, used, limit)).toEqual(['long_lived'])
  })

  it('report a token that is due for rotation, unless it cannot be or was rotated', () => {
    const due = { issuedAt: NOW - 70 * DAY, expiresAt: NOW + 30 * DAY }
    expect(kinds(due, used)).toEqual(['overdue_rotation'])
    expect(kinds({ ...due, expiresAt: NOW + 31 * DAY }, used)).toEqual([])
    expect(kinds({ ...due, rotatable: false }, used)).toEqual([])
    expect(kinds({ ...due, successor: TOKEN.id }, used)).toEqual([])
  })

  it('report a former version of a policy, and a policy that is gone', () => {
    expect(kinds({ policyVersion: 1 }, used)).toEqual(['old_policy'])
    expect(kinds({ policy: 'gone' }, used)).toEqual(['old_policy'])
  })

  it('report a key that was replaced twice, and none that is not known', () => {
    expect(kinds({}, used, { replaced: () => 1 })).toEqual([])
    expect(kinds({}, used, { replaced: () => 2 })).toEqual(['old_key'])
    expect(kinds({}, used, { replaced: () => undefined })).toEqual([])
  })

  it('report a token that is suspended, restricted or on trial, and until when', () => {
    const evidence = (...states: readonly RestrictionState[]) =>
      judge({ ...UNUSED, ...used, token: TOKEN }, facts({ limits: () => limitsOf(states, NOW) }))
        .filter(({ kind }) => kind === 'restricted')
        .map((each) => each.evidence)
    const limit = { to: ['a'], until: null }
    expect(evidence({ suspended: { until: null } })).toEqual(['suspended'])
    expect(evidence({ suspended: { until: NOW + DAY }, enforced: limit })).toEqual([
      `suspended until ${new Date(NOW + DAY).toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    ])
    expect(evidence({ enforced: limit })).toEqual(['its scopes are restricted'])
    expect(evidence({ reported: limit })).toEqual(['a restriction is on trial'])
    expect(evidence({ suspended: { until: NOW } })).toEqual([])
  })

  it('report a token without an owner', () => {
    expect(kinds({ owner: null }, used)).toEqual(['no_owner'])
  })
})
