/**
 * Rows and lives of usage for the cases.
 *
 * @module
 */
import type { Store } from '../../store/store.js'
import type { UsageLife, UsagePage, UsageRow, UsageStore } from '../../store/usage.js'
import { holds, present } from './case.js'
import { HOUR, NOW } from './fixtures.js'

export const DAY = 24 * HOUR

/** Later than everything in the cases. */
export const FOREVER = NOW + 400 * DAY

/** The part of the store, which the case needs. */
export function usageOf(store: Store): UsageStore {
  return present(store.usage, 'the part of the store that keeps usage')
}

/** The counts of a token that was not used. */
export const UNUSED = {
  requests: 0,
  refused: {},
  firstUsedAt: null,
  lastUsedAt: null,
  scopes: [],
  callers: [],
  others: 0,
} satisfies Partial<UsageRow>

/** What a process counted for a token in the hour from `NOW`, unless told otherwise. */
export function usageRow(id: string, life: string, over: Partial<UsageRow> = {}): UsageRow {
  const from = over.from ?? NOW
  return {
    id,
    from,
    life,
    requests: 3,
    refused: { expired: 1 },
    firstUsedAt: from + 1000,
    lastUsedAt: from + 2000,
    scopes: [{ scope: 'orders:read', uses: 3, lastUsedAt: from + 2000 }],
    callers: [{ address: '192.0.2.1', route: '/orders', userAgent: 'curl/8', requests: 2 }],
    others: 1,
    ...over,
  }
}

/** A life that has not ended, unless told otherwise. */
export function usageLife(life: string, over: Partial<UsageLife> = {}): UsageLife {
  return { life, node: 'node-1', from: NOW, to: NOW + HOUR, endedAt: null, gaps: [], ...over }
}

/** All rows of the tokens. */
export function rowsOf(store: Store, ids: readonly string[], since = 0, limit = 5000) {
  return usageOf(store).listRows({ ids, since }, { limit })
}

/** All lives. */
export function livesOf(store: Store): Promise<readonly UsageLife[]> {
  return usageOf(store).listLives(0)
}

/** Walks every page; the bound ends an endless loop. */
export async function walkRows(
  store: Store,
  ids: readonly string[],
  limit: number,
  between?: () => Promise<unknown>,
): Promise<UsageRow[]> {
  const rows: UsageRow[] = []
  let page: UsagePage = { limit }
  for (let pages = 0; pages < 300; pages++) {
    const found = await usageOf(store).listRows({ ids, since: 0 }, page)
    holds(found.length <= limit, `a page has ${found.length} rows, but the limit is ${limit}`)
    rows.push(...found)
    const last = found.at(-1)
    if (last === undefined || found.length < limit) return rows
    page = { limit, after: { id: last.id, from: last.from, life: last.life } }
    await between?.()
  }
  holds(false, 'the pages do not end')
}

/** The number of requests in all rows, accepted and rejected. */
export function requestsOf(rows: readonly UsageRow[]): number {
  return rows.reduce(
    (sum, { requests, refused }) =>
      Object.values(refused).reduce((total, count) => total + count, sum + requests),
    0,
  )
}
