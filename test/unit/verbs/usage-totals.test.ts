import { describe, expect, it } from 'vitest'
import type { UsageRow } from '../../../src/store/usage.js'
import { UNUSED, usageRow } from '../../../src/testkit/store/usage-fixtures.js'
import { UsageTotals } from '../../../src/verbs/usage-totals.js'

const rowOf = (change: Partial<UsageRow> = {}): UsageRow =>
  usageRow('one', 'life-1', { from: 0, ...UNUSED, ...change })

const callerOf = (address: string, requests: number) => ({
  address,
  route: '/orders',
  userAgent: '',
  requests,
})

function totalsOf(...rows: Partial<UsageRow>[]): UsageTotals {
  const totals = new UsageTotals()
  for (const row of rows) totals.add(rowOf(row))
  return totals
}

describe('the sums of usage', () => {
  it('have no time of use if there was no request', () => {
    expect(totalsOf({ refused: { expired: 1 } }).result()).toEqual({
      requests: 0,
      refused: { expired: 1 },
      firstUsedAt: null,
      lastUsedAt: null,
      scopes: [],
      callers: [],
      others: 0,
    })
  })

  it('have the earliest and the latest time, and all refusals', () => {
    const totals = totalsOf(
      { requests: 2, firstUsedAt: 20, lastUsedAt: 30, refused: { expired: 1 } },
      { requests: 1, firstUsedAt: 10, lastUsedAt: 15, refused: { expired: 2, revoked: 1 } },
    )
    expect(totals.result()).toMatchObject({
      requests: 3,
      firstUsedAt: 10,
      lastUsedAt: 30,
      refused: { expired: 3, revoked: 1 },
    })
  })

  it('list scopes by falling number of uses, then by name', () => {
    const scopes = [
      { scope: 'b', uses: 1, lastUsedAt: 5 },
      { scope: 'a', uses: 1, lastUsedAt: 9 },
      { scope: 'c', uses: 1, lastUsedAt: 5 },
    ]
    const again = [{ scope: 'c', uses: 1, lastUsedAt: 7 }]
    expect(totalsOf({ scopes }, { scopes: again }).result().scopes).toEqual([
      { scope: 'c', uses: 2, lastUsedAt: 7 },
      { scope: 'a', uses: 1, lastUsedAt: 9 },
      { scope: 'b', uses: 1, lastUsedAt: 5 },
    ])
  })

  it('list callers by falling number of requests, and count those beyond the limit as others', () => {
    const totals = totalsOf(
      { callers: [callerOf('192.0.2.1', 1), callerOf('192.0.2.2', 2)], others: 4 },
      { callers: [callerOf('192.0.2.1', 3), callerOf('192.0.2.3', 1)] },
    )
    expect(totals.result(2)).toMatchObject({
      callers: [callerOf('192.0.2.1', 4), callerOf('192.0.2.2', 2)],
      others: 5,
    })
  })

  it('keep at most 100,000 callers in memory', () => {
    const callers = Array.from({ length: 100_001 }, (_, i) => callerOf(`address-${i}`, 1))
    const { callers: kept, others } = totalsOf({ callers }).result()
    expect([kept.length, others]).toEqual([100_000, 1])
  })
})
