/**
 * Restrictions in any relational database: one row for each register.
 *
 * @module
 */
import { joined, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import type { AuditRow } from '../audit.js'
import {
  type RestrictionPage,
  type RestrictionRecord,
  type RestrictionStore,
  type RestrictionTarget,
  type RestrictionWrite,
  sameRestriction,
} from '../restrictions.js'
import { anyStripe, takenNumber } from './arrivals.js'
import { writeAudit } from './audit.js'
import { fieldsOf, isStorable, namesOf, toRecord, toValues } from './columns.js'
import type { Dialect, Engine } from './dialect.js'
import { idOf, placeOf, RESTRICTION_COLUMNS } from './restriction-columns.js'

const FIELDS = fieldsOf(RESTRICTION_COLUMNS)

/**
 * The part of a store, whose calls all go through `step`.
 *
 * @param empty - Removes the rows of a table that expired, in batches.
 */
export function sqlRestrictions(
  engine: Engine,
  step: <T>(work: () => Promise<T>) => Promise<T>,
  empty: (table: Sql, until: number) => Promise<number>,
): RestrictionStore {
  const { dialect } = engine
  return {
    read: (target) =>
      step(async () => {
        if (!isStorable(target.value)) return undefined
        const [row] = (await engine.run(select(dialect, target))).rows
        return row === undefined ? undefined : toRecord(RESTRICTION_COLUMNS, row)
      }),
    write: (next, audit) =>
      step(() => {
        const stripe = anyStripe()
        return engine.transaction({ stripe }, () => write(dialect, next, stripe, audit))
      }),
    list: (page) =>
      step(async () => {
        if (page.after !== undefined && !isStorable(page.after.value)) return []
        const { rows } = await engine.run(list(dialect, page))
        return rows.map((row) => toRecord(RESTRICTION_COLUMNS, row))
      }),
    purge: (until) => step(() => empty(dialect.tables.restrictions, until)),
  }
}

function select({ tables }: Dialect, target: RestrictionTarget): Sql {
  return sql`SELECT ${FIELDS} FROM ${tables.restrictions} WHERE id = ${idOf(target)}`
}

/** Compares and sets one row. Must run under the lock of the stripe. */
function* write(
  dialect: Dialect,
  next: RestrictionRecord,
  stripe: number,
  audit: readonly AuditRow[] | undefined,
): Steps<RestrictionWrite> {
  const { restrictions } = dialect.tables
  const id = idOf(next)
  const { changes } = yield next.revision === 1
    ? insert(dialect, next)
    : sql`UPDATE ${restrictions} SET ${assignments(next)}
        WHERE id = ${id} AND revision = ${next.revision - 1}`
  if (changes === 0) {
    // Shares the lock of the writer that was first, and sees what it committed.
    const [row] = (yield sql`${select(dialect, next)}${dialect.forShare}`).rows
    const current = row === undefined ? undefined : toRecord(RESTRICTION_COLUMNS, row)
    const isDone = current !== undefined && sameRestriction(current, next)
    return isDone ? { outcome: 'written' } : { outcome: 'changed', current }
  }
  yield sql`UPDATE ${restrictions} SET changed = ${takenNumber(dialect, stripe)} WHERE id = ${id}`
  yield* writeAudit(dialect, audit)
  return { outcome: 'written' }
}

function insert(dialect: Dialect, next: RestrictionRecord): Sql {
  const values = toValues(RESTRICTION_COLUMNS, next)
  return dialect.insertUnlessThere(
    dialect.tables.restrictions,
    namesOf(RESTRICTION_COLUMNS),
    values,
  )
}

function assignments(next: RestrictionRecord): Sql {
  const values = toValues(RESTRICTION_COLUMNS, next)
  return joined(
    RESTRICTION_COLUMNS.map(({ name }, index) => sql`${raw(name)} = ${values[index] ?? null}`),
    ', ',
  )
}

/**
 * One page. Its last position is found in the index first: the rows up to there are few, so no database sorts the whole
 * table by values that it cannot index.
 */
function list({ tables, limit: limitTo }: Dialect, { after, limit }: RestrictionPage): Sql {
  const { restrictions } = tables
  const place = after === undefined ? '' : placeOf(after)
  const rest =
    after === undefined
      ? sql`place > ${place}`
      : sql`place >= ${place} AND (place > ${place} OR value > ${after.value})`
  // After every kind.
  const end = '~'
  return sql`SELECT ${FIELDS} FROM ${restrictions} WHERE ${rest} AND place <= COALESCE(
      (SELECT place FROM ${restrictions} WHERE place > ${place}
        ORDER BY place ${limitTo(1)} OFFSET ${raw(String(limit - 1))}), ${end})
    ORDER BY place, value ${limitTo(limit)}`
}
