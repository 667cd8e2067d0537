/**
 * A second, plain part that keeps usage, whose every rule can be replaced, to test the contract kit itself.
 *
 * @module
 */
import type {
  UsageGap,
  UsageLife,
  UsageQuery,
  UsageRow,
  UsageStore,
} from '../../src/store/usage.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A row, and the length of time that it is about. */
export interface Entry {
  row: UsageRow
  span: number
}

/** The data, which several instances may share. */
export interface UsageTables {
  entries: Entry[]
  readonly lives: Map<string, UsageLife>
  closedUntil: number
}

type Place = Pick<UsageRow, 'id' | 'from' | 'life'>

/** Each is one sentence of the contract, for a mutant to break. */
export interface UsageRules {
  copy<T>(value: T): T
  /** Whether a written row replaces the stored one. */
  replaces(next: UsageRow, stored: UsageRow): boolean
  isSame(a: Place, b: Place): boolean
  isAsked(row: UsageRow, query: UsageQuery): boolean
  /** Whether the row ends after the time. */
  isSince(entry: Entry, since: number): boolean
  isAfter(row: Place, after: Place): boolean
  compare(a: Place, b: Place): number
  isClosed(row: UsageRow, closedUntil: number): boolean
  /** Whether the hour is folded. */
  isDue(entry: Entry, until: number): boolean
  /** The start of the day. */
  dayOf(from: number): number
  sum(rows: readonly UsageRow[], day: number): UsageRow
  isRemoved(entry: Entry, until: number): boolean
  report(stored: UsageLife, next: UsageLife): UsageLife
  join(gaps: readonly UsageGap[]): readonly UsageGap[]
  isListed(life: UsageLife, since: number): boolean
  isOver(life: UsageLife, until: number): boolean
  /** A pause between two steps of a method. A correct store has none. */
  pause(where: 'row' | 'rows' | 'fold' | 'folds' | 'life'): Promise<void> | undefined
}

export function total({ requests, refused }: UsageRow): number {
  let sum = requests
  for (const code of Object.keys(refused)) sum += refused[code] ?? 0
  return sum
}

const keyOf = ({ id, from, life }: Place) => `${id}/${String(from).padStart(16, '0')}/${life}`

function sumOf(rows: readonly UsageRow[], from: number): UsageRow {
  const [first] = rows
  if (first === undefined) throw new Error('nothing to sum')
  const refused = new Map<string, number>()
  const scopes = new Map<string, UsageRow['scopes'][number]>()
  const callers = new Map<string, UsageRow['callers'][number]>()
  for (const row of rows) {
    for (const [code, count] of Object.entries(row.refused))
      refused.set(code, (refused.get(code) ?? 0) + count)
    for (const { scope, uses, lastUsedAt } of row.scopes) {
      const is = scopes.get(scope)
      const latest = Math.max(lastUsedAt, is?.lastUsedAt ?? 0)
      scopes.set(scope, { scope, uses: uses + (is?.uses ?? 0), lastUsedAt: latest })
    }
    for (const caller of row.callers) {
      const key = JSON.stringify([caller.address, caller.route, caller.userAgent])
      const requests = caller.requests + (callers.get(key)?.requests ?? 0)
      callers.set(key, { ...caller, requests })
    }
  }
  const ranked = [...callers.values()].sort((a, b) => b.requests - a.requests)
  const rest = ranked.splice(8)
  const used = rows.flatMap(({ firstUsedAt, lastUsedAt }) => [firstUsedAt, lastUsedAt])
  const times = used.filter((time) => time !== null)
  return {
    ...first,
    from,
    requests: rows.reduce((sum, row) => sum + row.requests, 0),
    refused: Object.fromEntries(refused),
    firstUsedAt: times.length === 0 ? null : Math.min(...times),
    lastUsedAt: times.length === 0 ? null : Math.max(...times),
    scopes: [...scopes.values()],
    callers: ranked,
    others: [...rest.map(({ requests }) => requests), ...rows.map(({ others }) => others)].reduce(
      (sum, count) => sum + count,
    ),
  }
}

function join(gaps: readonly UsageGap[]): readonly UsageGap[] {
  const list = gaps.map(({ from, to }) => ({ from, to })).sort((a, b) => a.from - b.from)
  // The least distance first, as long as any two overlap or touch, or there are too many.
  for (;;) {
    const distances = list.slice(1).map(({ from }, index) => {
      const before = list.slice(0, index + 1).map(({ to }) => to)
      return from - Math.max(...before)
    })
    const least = Math.min(...distances)
    if (distances.length === 0 || (least > 0 && list.length <= 64)) return list
    const at = distances.indexOf(least)
    const [a, b] = list.slice(at, at + 2)
    if (a === undefined || b === undefined) return list
    list.splice(at, 2, { from: a.from, to: Math.max(a.to, b.to) })
  }
}

export const GOOD_USAGE: UsageRules = {
  copy: (value) => structuredClone(value),
  replaces: (next, stored) => total(next) >= total(stored),
  isSame: (a, b) => a.id === b.id && a.from === b.from && a.life === b.life,
  isAsked: ({ id }, { ids }) => ids.includes(id),
  isSince: ({ row, span }, since) => row.from + span > since,
  isAfter: (row, after) => keyOf(row) > keyOf(after),
  compare: (a, b) => (keyOf(a) < keyOf(b) ? -1 : 1),
  isClosed: ({ from }, closedUntil) => from + HOUR <= closedUntil,
  isDue: ({ row, span }, until) => span === HOUR && row.from + HOUR <= until,
  dayOf: (from) => Math.floor(from / DAY) * DAY,
  sum: sumOf,
  isRemoved: ({ row, span }, until) => row.from + span <= until,
  report: (stored, { to, endedAt, gaps }) => ({
    ...stored,
    to: Math.max(stored.to, to),
    endedAt: stored.endedAt ?? endedAt,
    gaps: [...stored.gaps, ...gaps],
  }),
  join,
  isListed: ({ endedAt }, since) => endedAt === null || endedAt > since,
  isOver: ({ endedAt }, until) => endedAt !== null && endedAt <= until,
  pause: () => undefined,
}

/** A part over the tables that obeys the given rules, of a store that is open while `check` resolves. */
export function plainUsage(
  t: UsageTables,
  check: () => Promise<void>,
  changed: Partial<UsageRules> = {},
): UsageStore {
  const rules = { ...GOOD_USAGE, ...changed }
  const find = (place: Place) => t.entries.find(({ row }) => rules.isSame(row, place))
  return {
    async mergeRows(rows) {
      await check()
      for (const row of rows) {
        if (rules.isClosed(row, t.closedUntil)) continue
        const entry = find(row)
        const between = rules.pause('row')
        if (between !== undefined) await between
        if (entry === undefined) t.entries.push({ row: rules.copy(row), span: HOUR })
        else if (rules.replaces(row, entry.row)) entry.row = rules.copy(row)
        const after = rules.pause('rows')
        if (after !== undefined) await after
      }
      return t.closedUntil
    },
    async listRows(query, { after, limit }) {
      await check()
      return t.entries
        .filter(({ row }) => rules.isAsked(row, query))
        .filter((entry) => rules.isSince(entry, query.since))
        .map(({ row }) => row)
        .filter((row) => after === undefined || rules.isAfter(row, after))
        .sort(rules.compare)
        .slice(0, limit)
        .map((row) => rules.copy(row))
    },
    async mergeLife(report) {
      await check()
      const stored = t.lives.get(report.life)
      const between = rules.pause('life')
      if (between !== undefined) await between
      const life = rules.copy(stored === undefined ? report : rules.report(stored, report))
      t.lives.set(life.life, { ...life, gaps: rules.join(life.gaps) })
    },
    async listLives(since) {
      await check()
      return [...t.lives.values()]
        .filter((life) => rules.isListed(life, since))
        .sort((a, b) => (a.life < b.life ? -1 : 1))
        .map((life) => rules.copy(life))
    },
    async purge({ foldUntil, removeUntil }) {
      await check()
      t.closedUntil = Math.max(t.closedUntil, foldUntil, removeUntil)
      for (;;) {
        const next = t.entries.find((entry) => rules.isDue(entry, foldUntil))
        if (next === undefined) break
        const day = { ...next.row, from: rules.dayOf(next.row.from) }
        const hours = t.entries.filter(
          (entry) =>
            rules.isDue(entry, foldUntil) &&
            rules.isSame({ ...entry.row, from: rules.dayOf(entry.row.from) }, day),
        )
        const stored = find(day)
        const parts = stored === undefined || hours.includes(stored) ? hours : [stored, ...hours]
        const before = rules.pause('fold')
        if (before !== undefined) await before
        t.entries = t.entries.filter((entry) => !parts.includes(entry))
        const between = rules.pause('folds')
        if (between !== undefined) await between
        t.entries.push({
          row: rules.sum(
            parts.map(({ row }) => row),
            day.from,
          ),
          span: DAY,
        })
      }
      t.entries = t.entries.filter((entry) => !rules.isRemoved(entry, removeUntil))
      for (const life of t.lives.values())
        if (rules.isOver(life, removeUntil)) t.lives.delete(life.life)
    },
  }
}
