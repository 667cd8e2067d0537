/**
 * How rows of usage are compared and summed, and how lives are merged: the same in every store.
 *
 * @module
 */
import { DAY, HOUR } from '../lib/duration.js'
import { listJson } from '../lib/plain.js'
import type { CallerUse, ScopeUse, UsageGap, UsageLife, UsageRow } from './usage.js'

const MAX_CALLERS = 8
const MAX_GAPS = 64

/** The start of the UTC day of a time. */
export function dayOf(time: number): number {
  return time - (time % DAY)
}

/** The number of requests of a row, accepted and rejected. */
export function totalOf({ requests, refused }: UsageRow): number {
  return Object.values(refused).reduce((sum, count) => sum + count, requests)
}

/** Text that identifies a row. The first two parts have no space. */
export function rowKey({ id, from, life }: Pick<UsageRow, 'id' | 'from' | 'life'>): string {
  return `${id} ${from} ${life}`
}

/** One row for each key that is not skipped: the last of those with the most requests. In ascending order of keys. */
export function largestOf(rows: readonly UsageRow[], closedUntil: number): UsageRow[] {
  const largest = new Map<string, UsageRow>()
  for (const row of rows) {
    if (row.from + HOUR <= closedUntil) continue
    const key = rowKey(row)
    const other = largest.get(key)
    if (other === undefined || totalOf(row) >= totalOf(other)) largest.set(key, row)
  }
  return [...largest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

/** The row of a day: the sum of rows of one token and life. */
export function folded(rows: readonly UsageRow[]): UsageRow {
  // The callers pass at least one row.
  const first = rows[0] as UsageRow
  const { callers, others } = topCallers(rows)
  return {
    id: first.id,
    from: dayOf(first.from),
    life: first.life,
    requests: sumOf(rows.map(({ requests }) => requests)),
    refused: sumsByCode(rows),
    firstUsedAt: choose(
      Math.min,
      rows.map((row) => row.firstUsedAt),
    ),
    lastUsedAt: choose(
      Math.max,
      rows.map((row) => row.lastUsedAt),
    ),
    scopes: sumsByScope(rows),
    callers,
    others,
  }
}

const sumOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)

function choose(
  better: (a: number, b: number) => number,
  times: readonly (number | null)[],
): number | null {
  return times.reduce((best, time) => {
    if (best === null || time === null) return best ?? time
    return better(best, time)
  }, null)
}

// `fromEntries` defines properties, so a code named `__proto__` is one like any other.
function sumsByCode(rows: readonly UsageRow[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const [code, count] of rows.flatMap(({ refused }) => Object.entries(refused)))
    sums.set(code, (sums.get(code) ?? 0) + count)
  return Object.fromEntries(sums)
}

function sumsByScope(rows: readonly UsageRow[]): ScopeUse[] {
  const sums = new Map<string, ScopeUse>()
  for (const use of rows.flatMap(({ scopes }) => scopes)) {
    const { scope } = use
    const { uses, lastUsedAt } = sums.get(scope) ?? { uses: 0, lastUsedAt: 0 }
    sums.set(scope, {
      scope,
      uses: uses + use.uses,
      lastUsedAt: Math.max(lastUsedAt, use.lastUsedAt),
    })
  }
  return [...sums.values()]
}

function topCallers(rows: readonly UsageRow[]): Pick<UsageRow, 'callers' | 'others'> {
  const sums = new Map<string, CallerUse>()
  for (const caller of rows.flatMap(({ callers }) => callers)) {
    const { address, route, userAgent, requests } = caller
    const key = listJson([address, route, userAgent])
    sums.set(key, { ...caller, requests: requests + (sums.get(key)?.requests ?? 0) })
  }
  const sorted = [...sums.values()].sort((a, b) => b.requests - a.requests)
  const rest = sorted.slice(MAX_CALLERS).map(({ requests }) => requests)
  return {
    callers: sorted.slice(0, MAX_CALLERS),
    others: sumOf([...rows.map(({ others }) => others), ...rest]),
  }
}

/** The stored life after a report of it. */
export function mergedLife(stored: UsageLife, report: UsageLife): UsageLife {
  return {
    life: stored.life,
    node: stored.node,
    from: stored.from,
    to: Math.max(stored.to, report.to),
    endedAt: stored.endedAt ?? report.endedAt,
    gaps: joinedGaps([...stored.gaps, ...report.gaps]),
  }
}

/** The intervals in ascending order, apart from each other, and not too many. */
export function joinedGaps(gaps: readonly UsageGap[]): UsageGap[] {
  const joined: UsageGap[] = []
  for (const { from, to } of [...gaps].sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1)
    if (last === undefined || from > last.to) joined.push({ from, to })
    else joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, to) }
  }
  while (joined.length > MAX_GAPS) joinClosest(joined)
  return joined
}

function joinClosest(gaps: UsageGap[]): void {
  let closest = 0
  let least = Number.POSITIVE_INFINITY
  for (const [index, { to }] of gaps.entries()) {
    const distance = (gaps[index + 1]?.from ?? Number.POSITIVE_INFINITY) - to
    if (distance < least) [closest, least] = [index, distance]
  }
  const [first, second] = gaps.slice(closest, closest + 2) as [UsageGap, UsageGap]
  gaps.splice(closest, 2, { from: first.from, to: second.to })
}
