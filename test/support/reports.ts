/**
 * Reports with made-up content, for the tests of the page.
 *
 * @module
 */
import type { ImpactReport, MinimiseReport, SprawlReport } from 'watchword/report'
import { DAY } from './constants.js'

const AT = Date.UTC(2026, 5, 1, 12)
const WINDOW = { from: AT - 30 * DAY, to: AT }
const COVERAGE = { complete: true, kept: true, gaps: [] } as const
const COMMON = { issuer: 'https://auth.acme.example', at: AT, window: WINDOW, coverage: COVERAGE }

/** An inventory of `live` tokens with findings of two kinds. */
export function sprawlReport(live = 10): SprawlReport {
  const bars = (labels: readonly string[]) =>
    labels.map((label, i) => ({ label, count: live * (i + 1) }))
  return {
    ...COMMON,
    kind: 'sprawl',
    tokens: { stored: 2 * live, live, corrupt: 0 },
    counts: {
      never_used: 0,
      idle: 1,
      over_scoped: 0,
      long_lived: 0,
      overdue_rotation: 0,
      too_many: 0,
      old_policy: 0,
      old_key: 0,
      restricted: 0,
      no_owner: 1,
      unknown: 0,
    },
    findings: [
      {
        kind: 'idle',
        risk: 'high',
        id: '01J00000000000000000000000',
        subject: 'svc_billing',
        policy: 'service',
        owner: 'team-a',
        evidence: 'not accepted within 30 days',
        remedy: 'ask its owner, and revoke it',
      },
      {
        kind: 'no_owner',
        risk: 'low',
        id: '01J00000000000000000000001',
        subject: 'svc_stock',
        policy: 'service',
        owner: null,
        evidence: 'no owner is recorded',
        remedy: 'set one with tokens.update',
      },
    ],
    policies: bars(Array.from({ length: 14 }, (_, i) => `policy-${i}`)),
    owners: bars(['team-a', 'no owner']),
    ages: bars(['under 1 day', '1 to 7 days']),
    expiries: bars(['under 1 day', '1 to 7 days']),
    days: Array.from({ length: 31 }, (_, i) => ({
      day: Date.UTC(2026, 4, 2 + i),
      requests: (i * 37) % 101,
      refused: i % 7,
    })),
    keys: [1, 2].map((generation) => ({
      id: `k4.lid.${'a'.repeat(43)}${generation}`,
      audience: 'orders-api',
      generation,
      state: generation === 1 ? 'verifying' : 'active',
      createdAt: AT - 100 * DAY,
      activatesAt: AT - 90 * DAY * (3 - generation),
      retiresAt: AT - 90 * DAY * (2 - generation),
      expiresAt: AT + 90 * DAY,
      revokedAt: null,
      wrappedBy: 'root',
    })),
    fleet: {
      node: 'web-1',
      status: 'live',
      freshnessMs: 12,
      maxStalenessMs: 5000,
      lag: 0,
      incidents: {},
    },
  }
}

/** One token that needs one of its two scopes. */
export const MINIMISE: MinimiseReport = {
  ...COMMON,
  kind: 'minimise',
  live: 1,
  tokens: [
    {
      id: '01J00000000000000000000000',
      subject: 'svc_billing',
      policy: 'service',
      granted: ['orders:read', 'orders:write'],
      exercised: ['orders:read'],
      proposal: ['orders:read'],
      lost: ['orders:write'],
    },
  ],
  proposal: ['orders:read'],
}

/** Two tokens in use by one known caller and others. */
export const IMPACT: ImpactReport = {
  ...COMMON,
  kind: 'impact',
  live: 2,
  used: 2,
  usedIds: ['01J00000000000000000000000', '01J00000000000000000000001'],
  firstUsedAt: AT - 3 * DAY,
  lastUsedAt: AT,
  requests: 3000,
  requestsPerDay: 100,
  callers: [{ address: '10.0.0.7', route: '/orders/:id', userAgent: 'curl/8', requests: 2960 }],
  otherRequests: 40,
  scopes: [{ scope: 'orders:read', uses: 3000 }],
}
