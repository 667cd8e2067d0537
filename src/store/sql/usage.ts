/**
 * The usage of tokens in any relational database.
 *
 * A row of the table of states holds the time up to which hours are closed. Merges read it under a shared lock, so a
 * purge that moves it waits for earlier merges, and later ones skip the closed hours. From then on nothing but a purge
 * changes their rows, and purges exclude each other.
 *
 * @module
 */
import {
  joined,
  raw,
  type Sql,
  type SqlResult,
  type SqlScalar,
  type Steps,
  sql,
} from '../../clients/sql/statement.js'
import { DAY } from '../../lib/duration.js'
import type {
  UsageLife,
  UsagePage,
  UsagePurge,
  UsageQuery,
  UsageRow,
  UsageStore,
} from '../usage.js'
import { summable } from '../usage-codec.js'
import { dayOf, folded, joinedGaps, largestOf, mergedLife, rowKey } from '../usage-sums.js'
import { isStorable, namesOf } from './columns.js'
import type { Dialect, Engine } from './dialect.js'
import {
  LIFE_COLUMNS,
  lifeOf,
  lifeValues,
  USAGE_COLUMNS,
  usageRowOf,
  usageValues,
} from './usage-columns.js'

// The tokens whose hours one transaction sums: up to 24 rows for each, from each process that used it.
const FOLDED_TOKENS = 25
// The length of the values of one statement, also far below the size of a packet that servers accept.
const STATEMENT_LENGTH = 2 ** 17
// Excludes other purges. No holder begins with a letter.
const PURGE = { holder: 'purge of usage' }

/** The part of a store, whose calls all go through `step`. */
export function sqlUsage(
  engine: Engine,
  step: <T>(work: () => Promise<T>) => Promise<T>,
): UsageStore {
  const { dialect } = engine
  return {
    mergeRows: (rows) => step(() => mergeRows(engine, rows)),
    listRows: (query, page) =>
      step(async () => {
        const ids = [...new Set(query.ids)].filter(isStorable)
        if (ids.length === 0) return []
        const { rows } = await engine.run(selectRows(dialect, { ...query, ids }, page))
        return rows.map(usageRowOf)
      }),
    mergeLife: (life) => step(() => engine.transaction({}, () => mergeLife(dialect, life))),
    listLives: (since) =>
      step(async () => {
        const { rows } = await engine.run(sql`SELECT ${namesOf(LIFE_COLUMNS)}
          FROM ${dialect.tables.lives} WHERE ended_at IS NULL OR ended_at > ${since} ORDER BY life`)
        return rows.map(lifeOf)
      }),
    purge: (until) => step(() => purge(engine, until, step)),
  }
}

async function mergeRows(engine: Engine, rows: readonly UsageRow[]): Promise<number> {
  if (engine.mergeUsage !== undefined) {
    const batches = batchesOf(largestOf(rows, 0))
    const { value: batch } = batches.next()
    if (batch !== undefined && batches.next().done === true)
      return closedUntilOf(engine.dialect, await engine.mergeUsage(batch))
  }
  return await engine.transaction({}, () => mergeSteps(engine.dialect, rows))
}

function* mergeSteps(dialect: Dialect, rows: readonly UsageRow[]): Steps<number> {
  const { states } = dialect.tables
  const state = yield sql`SELECT n FROM ${states} WHERE id = 0${dialect.forShare}`
  const closedUntil = closedUntilOf(dialect, state)
  yield* upsert(dialect, largestOf(rows, closedUntil))
  return closedUntil
}

function closedUntilOf({ tables }: Dialect, { rows: [state] }: SqlResult): number {
  if (state === undefined) throw new Error(`a row of ${tables.states.text} is missing`)
  return Number(state['n'])
}

function* upsert(dialect: Dialect, rows: readonly UsageRow[], isDay = false): Steps<void> {
  for (const batch of batchesOf(rows, isDay)) yield* dialect.upsertUsage(batch)
}

/**
 * The values of each statement, in the same order for every caller: two merges of the same rows do not wait for each
 * other. Statements are small, because what encodes one of them holds the event loop.
 */
function* batchesOf(rows: readonly UsageRow[], isDay = false): Generator<SqlScalar[][], void> {
  let batch: SqlScalar[][] = []
  let length = 0
  for (const [index, row] of rows.entries()) {
    const values = usageValues(row, isDay)
    for (const value of values) length += typeof value === 'string' ? value.length : 8
    batch.push(values)
    if (length < STATEMENT_LENGTH && index + 1 < rows.length) continue
    yield batch
    batch = []
    length = 0
  }
}

function selectRows(
  { tables, among, limit }: Dialect,
  { ids, since }: UsageQuery,
  { after, limit: most }: UsagePage,
): Sql {
  const conditions = [among(raw('id'), ids), sql`ends_at > ${since}`]
  if (after !== undefined) {
    const { id, from, life } = after
    conditions.push(
      sql`(id > ${id} OR (id = ${id} AND (from_at > ${from} OR (from_at = ${from} AND life > ${life}))))`,
    )
  }
  return sql`SELECT ${namesOf(USAGE_COLUMNS)} FROM ${tables.usage}
    WHERE ${joined(conditions, ' AND ')} ORDER BY id, from_at, life ${limit(most)}`
}

function* mergeLife(dialect: Dialect, life: UsageLife): Steps<void> {
  const { lives } = dialect.tables
  const stored = sql`SELECT ${namesOf(LIFE_COLUMNS)} FROM ${lives}
    WHERE life = ${life.life}${dialect.forUpdate}`
  let [row] = (yield stored).rows
  if (row === undefined) {
    const first = { ...life, gaps: joinedGaps(life.gaps) }
    const insert = dialect.insertUnlessThere(lives, namesOf(LIFE_COLUMNS), lifeValues(first))
    if ((yield insert).changes > 0) return
    // Another process has inserted it in between.
    row = (yield stored).rows[0]
    if (row === undefined)
      throw new Error(`the life ${life.life} was removed while it was reported`)
  }
  const [, , , to = null, endedAt = null, gaps = null] = lifeValues(mergedLife(lifeOf(row), life))
  yield sql`UPDATE ${lives} SET to_at = ${to}, ended_at = ${endedAt}, gaps = ${gaps}
    WHERE life = ${life.life}`
}

/** In batches, so no lock is held for long, and other work of the process runs in between. */
async function purge(
  engine: Engine,
  { foldUntil, removeUntil }: UsagePurge,
  step: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const { dialect } = engine
  const { lives } = dialect.tables
  await engine.run(closeHours(dialect, Math.max(foldUntil, removeUntil)))
  const repeat = async (work: () => Steps<boolean>): Promise<void> => {
    while (await step(() => engine.transaction(PURGE, work))) await new Promise(setImmediate)
  }
  await repeat(() => foldBatch(dialect, foldUntil))
  for (const isFolded of [0, 1])
    await repeat(function* () {
      return (yield dialect.removeUsage(isFolded, removeUntil)).changes > 0
    })
  await step(() => engine.run(sql`DELETE FROM ${lives} WHERE ended_at <= ${removeUntil}`))
}

// A separate transaction: once it has committed, no merge writes a row that is about to be folded.
function closeHours({ tables }: Dialect, until: number): Sql {
  return sql`UPDATE ${tables.states} SET n = ${until} WHERE id = 0 AND n < ${until}`
}

/** Sums the hours of some tokens of the earliest day. Returns whether there may be more. */
function* foldBatch(dialect: Dialect, until: number): Steps<boolean> {
  const { tables, among, limit } = dialect
  const { usage } = tables
  const due = sql`folded = 0 AND ends_at <= ${until}`
  const earliest = (yield sql`SELECT id, from_at FROM ${usage} WHERE ${due}
    ORDER BY folded, ends_at, id ${limit(FOLDED_TOKENS)}`).rows
  if (earliest.length === 0) return false
  const rows = earliest.map(usageRowOf)
  const day = dayOf(rows[0]?.from ?? 0)
  const ids = [...new Set(rows.flatMap(({ id, from }) => (dayOf(from) === day ? [id] : [])))]
  const ofDay = sql`${among(raw('id'), ids)} AND from_at >= ${day} AND from_at < ${day + DAY}`
  // The hours, and the row of the day as far as it was summed before.
  const parts = yield sql`SELECT ${namesOf(USAGE_COLUMNS)} FROM ${usage}
    WHERE ${ofDay} AND (folded = 1 OR (${due}))${dialect.forUpdate}`
  const groups = new Map<string, UsageRow[]>()
  for (const row of parts.rows.map(usageRowOf)) {
    const key = rowKey({ ...row, from: day })
    groups.set(key, [...(groups.get(key) ?? []), summable(row)])
  }
  yield sql`DELETE FROM ${usage} WHERE ${ofDay} AND ${due}`
  yield* upsert(dialect, [...groups.values()].map(folded), true)
  return true
}
