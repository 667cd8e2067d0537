/**
 * Tracks the commit order of changes, so a reader misses none between two reads.
 *
 * A sequence alone does not provide it: a transaction that took its number early may commit late, after a reader has
 * passed that number. Here each writing transaction takes the next number of one of a few stripes by updating the
 * stripe's row, which stays locked until the commit. Within a stripe, the order of the numbers is therefore the order
 * of the commits, and a reader that remembers one number for each stripe misses nothing.
 *
 * @module
 */
import { randomInt } from 'node:crypto'
import { joined, once, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import type { Changes } from '../store.js'
import { type Column, fieldsOf, REVOCATION_COLUMNS, TOKEN_COLUMNS, toRecord } from './columns.js'
import type { Dialect } from './dialect.js'
import { RESTRICTION_COLUMNS } from './restriction-columns.js'

/** The maximum number of concurrent writing transactions. */
export const STRIPES = 16

// Each stripe numbers its changes in its own range, so one column and one index serve all of them.
const RANGE = 2 ** 48

/** The statements that create the table of stripes. */
export function createArrivals(table: Sql, smallint: string, bigint: string, end: string): string {
  return `CREATE TABLE IF NOT EXISTS ${table.text} (\n  id ${smallint} NOT NULL PRIMARY KEY,\n  n ${bigint} NOT NULL\n)${end}`
}

/** The rows of the table of stripes. */
export const STRIPE_ROWS = Array.from(
  { length: STRIPES },
  (_, stripe) => `(${stripe}, ${stripe * RANGE})`,
).join(', ')

/** A random stripe, which spreads transactions over the stripes. */
export function anyStripe(): number {
  return randomInt(STRIPES)
}

/** Takes the next number of a stripe. */
export function takeNumber(table: Sql, stripe: number): Sql {
  return sql`UPDATE ${table} SET n = n + 1 WHERE id = ${raw(String(stripe))}`
}

/** Runs the steps of a transaction, after taking a number if it has a stripe. */
export function* numbered<T>(
  table: Sql,
  stripe: number | undefined,
  steps: () => Steps<T>,
): Steps<T> {
  if (stripe !== undefined) yield takeNumber(table, stripe)
  return yield* steps()
}

/** The number that this transaction took. */
export function takenNumber({ tables }: Dialect, stripe: number): Sql {
  return sql`(SELECT n FROM ${tables.arrivals} WHERE id = ${raw(String(stripe))})`
}

/** Reads one page of changes. Needs no transaction. */
export function* readChanges(
  dialect: Dialect,
  after: string | null,
  limit: number,
): Steps<Changes> {
  const { tables } = dialect
  // Read before the rows: everything up to these numbers has committed and is visible to later reads.
  const latest = latestOf((yield sql`SELECT id, n FROM ${tables.arrivals} ORDER BY id`).rows)
  if (after === null) return page(NO_ITEMS, [latest, latest, latest], false)
  const [kept, ended, set] = parseCursor(after, latest)
  const revocations = yield* readAfter(dialect, tables.revocations, REVOCATION_COLUMNS, {
    from: kept,
    latest,
    limit,
  })
  const registers = yield* readAfter(dialect, tables.restrictions, RESTRICTION_COLUMNS, {
    from: set,
    latest,
    limit: limit - revocations.items.length,
  })
  const tokens = yield* readAfter(dialect, tables.tokens, TOKEN_COLUMNS, {
    from: ended,
    latest,
    limit: limit - revocations.items.length - registers.items.length,
  })
  const items = {
    revocations: revocations.items,
    superseded: tokens.items,
    restrictions: registers.items,
  }
  const more = revocations.more || tokens.more || registers.more
  return page(items, [revocations.upTo, tokens.upTo, registers.upTo], more)
}

/**
 * The position of a reader: for each stripe, the number up to which revocations were read, the number up to which
 * records were read, and the number up to which registers were read.
 */
type Place = readonly [kept: readonly number[], ended: readonly number[], set: readonly number[]]

type Items = Required<Pick<Changes, 'revocations' | 'superseded' | 'restrictions'>>

const NO_ITEMS: Items = { revocations: [], superseded: [], restrictions: [] }

interface Reading {
  readonly from: readonly number[]
  readonly latest: readonly number[]
  readonly limit: number
}

interface Read<T> {
  readonly items: readonly T[]
  readonly upTo: readonly number[]
  readonly more: boolean
}

function* readAfter<T>(
  dialect: Dialect,
  table: Sql,
  columns: readonly Column<T>[],
  { from, latest, limit }: Reading,
): Steps<Read<T>> {
  const behind = latest.flatMap((number, stripe) =>
    number > numberOf(from, stripe) ? [rangeOf(stripe, numberOf(from, stripe))] : [],
  )
  if (behind.length === 0) return { items: [], upTo: from, more: false }
  if (limit === 0) return { items: [], upTo: from, more: true }
  // Not prepared, because any combination of stripes may be behind.
  const { rows } = yield once(sql`SELECT ${fieldsOf(columns)}, changed FROM ${table}
    WHERE ${joined(behind, ' OR ')} ORDER BY changed ${dialect.limit(limit)}`)
  const upTo = [...from]
  for (const { changed } of rows) upTo[stripeOf(Number(changed))] = Number(changed)
  const more = rows.length >= limit
  return {
    items: rows.map((row) => toRecord(columns, row)),
    // Without more rows, everything committed when the numbers were read has been returned.
    upTo: more ? upTo : upTo.map((number, stripe) => Math.max(number, numberOf(latest, stripe))),
    more,
  }
}

// Every list of numbers has one for each stripe.
function numberOf(numbers: readonly number[], stripe: number): number {
  return numbers[stripe] as number
}

function rangeOf(stripe: number, after: number): Sql {
  return sql`(changed > ${after} AND changed < ${(stripe + 1) * RANGE})`
}

function stripeOf(number: number): number {
  return Math.floor(number / RANGE)
}

function latestOf(rows: readonly { readonly [name: string]: unknown }[]): readonly number[] {
  const latest = Array.from({ length: STRIPES }, () => -1)
  for (const { id, n } of rows) latest[Number(id)] = Number(n)
  if (latest.includes(-1)) throw new Error('a row of the table of arrivals is missing')
  return latest
}

function page(items: Items, place: Place, more: boolean): Changes {
  const relative = (numbers: readonly number[]) =>
    numbers.map((number, stripe) => (number - stripe * RANGE).toString(36)).join('.')
  return { ...items, cursor: place.map(relative).join('/'), more }
}

function parseCursor(cursor: string, latest: readonly number[]): Place {
  const beginning = latest.map((_, stripe) => stripe * RANGE)
  const [kept = [], ended = [], set = beginning] = cursor
    .split('/')
    .map((text) =>
      text.split('.').map((number, stripe) => Number.parseInt(number, 36) + stripe * RANGE),
    )
  const isOf = (numbers: readonly number[]) =>
    latest.every((last, stripe) => (numbers[stripe] ?? Number.NaN) <= last)
  // Beyond the last number of any stripe: the database was restored from a backup and numbers its changes again. Starts
  // from the beginning to find changes since then.
  return [kept, ended, set].every(isOf) ? [kept, ended, set] : [beginning, beginning, beginning]
}
