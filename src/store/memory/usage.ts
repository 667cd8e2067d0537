/**
 * The usage of the memory store. Each method is one synchronous step and therefore atomic.
 *
 * @module
 */
import { DAY, HOUR } from '../../lib/duration.js'
import type {
  UsageLife,
  UsagePage,
  UsagePurge,
  UsageQuery,
  UsageRow,
  UsageStore,
} from '../usage.js'
import { dayOf, folded, joinedGaps, largestOf, mergedLife, totalOf } from '../usage-sums.js'

/** A row and when its hour or day ends. */
interface Entry {
  readonly row: UsageRow
  readonly endsAt: number
}

interface UsageTables {
  /** The rows by the id of their token, then by time and life. */
  readonly rows: Map<string, Map<string, Entry>>
  readonly lives: Map<string, UsageLife>
  /** The latest time of any purge. */
  closedUntil: number
}

/** The part of the store, whose calls all go through `step`. */
export function memoryUsage(step: <T>(work: () => T) => Promise<T>): UsageStore {
  const t: UsageTables = { rows: new Map(), lives: new Map(), closedUntil: 0 }
  return {
    mergeRows: (rows) => step(() => mergeRows(t, rows)),
    listRows: (query, page) => step(() => listRows(t, query, page)),
    mergeLife: (life) => step(() => mergeLife(t, life)),
    listLives: (since) => step(() => listLives(t, since)),
    purge: (until) => step(() => purge(t, until)),
  }
}

const placeOf = ({ from, life }: Pick<UsageRow, 'from' | 'life'>) => `${from} ${life}`

function mergeRows(t: UsageTables, rows: readonly UsageRow[]): number {
  for (const row of largestOf(rows, t.closedUntil)) {
    const stored = t.rows.get(row.id)?.get(placeOf(row))?.row
    if (stored !== undefined && totalOf(row) < totalOf(stored)) continue
    put(t, { row: copyOf(row), endsAt: row.from + HOUR })
  }
  return t.closedUntil
}

function copyOf(row: UsageRow): UsageRow {
  return {
    ...row,
    refused: { ...row.refused },
    scopes: row.scopes.map((use) => ({ ...use })),
    callers: row.callers.map((use) => ({ ...use })),
  }
}

function copyOfLife(life: UsageLife): UsageLife {
  return { ...life, gaps: life.gaps.map((gap) => ({ ...gap })) }
}

function put(t: UsageTables, entry: Entry): void {
  const { row } = entry
  const mine = t.rows.get(row.id) ?? new Map<string, Entry>()
  t.rows.set(row.id, mine.set(placeOf(row), entry))
}

function listRows(
  t: UsageTables,
  { ids, since }: UsageQuery,
  { after, limit }: UsagePage,
): UsageRow[] {
  const rows = [...new Set(ids)]
    .flatMap((id) => [...(t.rows.get(id)?.values() ?? [])])
    .flatMap(({ row, endsAt }) => (endsAt > since ? [row] : []))
  const rest = after === undefined ? rows : rows.filter((row) => compare(row, after) > 0)
  return rest.sort(compare).slice(0, limit).map(copyOf)
}

type Place = Pick<UsageRow, 'id' | 'from' | 'life'>

function compare(a: Place, b: Place): number {
  return compareText(a.id, b.id) || a.from - b.from || compareText(a.life, b.life)
}

// Code units, not the locale's order.
function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function mergeLife(t: UsageTables, life: UsageLife): void {
  const stored = t.lives.get(life.life)
  const first = { ...life, gaps: joinedGaps(life.gaps) }
  t.lives.set(life.life, stored === undefined ? first : mergedLife(stored, life))
}

function listLives(t: UsageTables, since: number): UsageLife[] {
  return [...t.lives.values()]
    .filter(({ endedAt }) => endedAt === null || endedAt > since)
    .sort((a, b) => compareText(a.life, b.life))
    .map(copyOfLife)
}

function purge(t: UsageTables, { foldUntil, removeUntil }: UsagePurge): void {
  t.closedUntil = Math.max(t.closedUntil, foldUntil, removeUntil)
  for (const [id, mine] of t.rows) {
    fold(mine, foldUntil)
    for (const [place, { endsAt }] of mine) if (endsAt <= removeUntil) mine.delete(place)
    if (mine.size === 0) t.rows.delete(id)
  }
  for (const { life, endedAt } of t.lives.values())
    if (endedAt !== null && endedAt <= removeUntil) t.lives.delete(life)
}

/** Sums the hours of one token. */
function fold(mine: Map<string, Entry>, until: number): void {
  const days = new Map<string, UsageRow[]>()
  for (const [place, { row, endsAt }] of mine) {
    if (endsAt > until || endsAt - row.from === DAY) continue
    mine.delete(place)
    const day = placeOf({ ...row, from: dayOf(row.from) })
    days.set(day, [...(days.get(day) ?? []), row])
  }
  for (const [place, hours] of days) {
    const stored = mine.get(place)?.row
    const row = folded(stored === undefined ? hours : [stored, ...hours])
    mine.set(place, { row, endsAt: row.from + DAY })
  }
}
