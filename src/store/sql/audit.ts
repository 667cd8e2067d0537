/**
 * The audit in any relational database.
 *
 * Rows are written in the transaction of the change. The table of heads has one row: the size of the tree and its state.
 * An append locks it, so the size decides which of several appends wins. A row that was deleted or set back is repaired
 * by the next append: the tree is never smaller than its rows, so that no index is used twice.
 *
 * @module
 */
import { joined, type Row, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import type { AuditFilter, AuditLeaf, AuditListPage, AuditRow, AuditStore } from '../audit.js'
import {
  AUDIT_COLUMNS,
  auditEntryOf,
  auditPlaceOf,
  auditRowOf,
  auditValues,
  HEAD_COLUMNS,
  PURGED,
} from './audit-columns.js'
import { hashOf, isStorable, namesOf } from './columns.js'
import type { Dialect, Engine } from './dialect.js'

const NAMES = namesOf(AUDIT_COLUMNS)

/** Writes rows whose ids are new, within the transaction of a change. */
export function* writeAudit(dialect: Dialect, rows: readonly AuditRow[] = []): Steps<void> {
  for (const row of rows)
    yield dialect.insertUnlessThere(dialect.tables.audit, NAMES, auditValues(row))
}

/** Runs a statement, and writes the rows with it if it changed something. Resolves with whether it did. */
export async function changeWith(
  engine: Engine,
  statement: Sql,
  rows: readonly AuditRow[] = [],
): Promise<boolean> {
  if (rows.length === 0) return (await engine.run(statement)).changes > 0
  return await engine.transaction({}, function* () {
    if ((yield statement).changes === 0) return false
    yield* writeAudit(engine.dialect, rows)
    return true
  })
}

/** The part of a store, whose calls all go through `step`. */
export function sqlAudit(
  engine: Engine,
  step: <T>(work: () => Promise<T>) => Promise<T>,
): AuditStore {
  const { dialect } = engine
  const { audit, heads } = dialect.tables
  return {
    write: (rows) => step(() => engine.transaction({}, () => writeAudit(dialect, rows))),
    listPending: (page) => step(() => engine.transaction({}, () => listPending(dialect, page))),
    head: () =>
      step(async () => {
        const { rows } = await engine.run(sql`SELECT (SELECT MAX(idx) FROM ${audit}) AS last,
          (SELECT n FROM ${heads} WHERE id = 0) AS n, (SELECT state FROM ${heads} WHERE id = 0) AS state`)
        const { n, state } = rows[0] ?? {}
        const size = sizeOf(rows[0])
        // The state of another size proves nothing.
        if (n === null || size !== Number(n)) return { size, state: '' }
        return {
          size,
          state: state instanceof Uint8Array ? Buffer.from(state).toString() : String(state),
        }
      }),
    append: (size, leaves, state) =>
      step(() => engine.transaction({}, () => append(dialect, size, leaves, state))),
    read: (from, limit) =>
      step(async () => {
        const { rows } = await engine.run(sql`SELECT ${NAMES} FROM ${audit}
          WHERE idx >= ${from} ORDER BY idx ${dialect.limit(limit)}`)
        return rows.map(auditEntryOf)
      }),
    locate: (ids) =>
      step(async () => {
        const storable = ids.filter(isStorable)
        if (storable.length === 0) return []
        const { rows } = await engine.run(
          sql`SELECT id, idx FROM ${audit} WHERE ${dialect.among(raw('id'), storable)}`,
        )
        return rows.map(auditPlaceOf)
      }),
    list: (filter, page) =>
      step(async () => {
        const statement = listAudit(dialect, filter, page)
        return statement === undefined ? [] : (await engine.run(statement)).rows.map(auditEntryOf)
      }),
    purge: (until) =>
      step(async () => {
        const set = joined(
          PURGED.map((name) => raw(`${name} = NULL`)),
          ', ',
        )
        const done = await engine.run(sql`UPDATE ${audit} SET ${set}
          WHERE written_at <= ${until} AND idx IS NOT NULL AND body IS NOT NULL`)
        return done.changes
      }),
  }
}

function* listPending(
  { tables: { audit }, limit: limitTo, walksIndex }: Dialect,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Steps<AuditRow[]> {
  for (const statement of walksIndex) yield statement
  const rest = after === undefined ? raw('') : sql` AND id > ${after}`
  // Ordered by the index on both, of which pending rows are one range.
  const { rows } = yield sql`SELECT ${NAMES} FROM ${audit}
    WHERE idx IS NULL${rest} ORDER BY idx, id ${limitTo(limit)}`
  return rows.map(auditRowOf)
}

/** The size of the tree, by its head and its last row. */
function sizeOf({ n = 0, last = null }: Row = {}): number {
  return Math.max(Number(n), last === null ? 0 : Number(last) + 1)
}

/** Locks the head, and returns the size of the tree. */
function* lockedSize({
  tables: { audit, heads },
  forUpdate,
  insertUnlessThere,
}: Dialect): Steps<number> {
  // If another append has changed the head meanwhile, its size counts: it is not smaller than the last row.
  const head = sql`SELECT n, (SELECT MAX(idx) FROM ${audit}) AS last FROM ${heads}
    WHERE id = 0${forUpdate}`
  const [row] = (yield head).rows
  if (row !== undefined) return sizeOf(row)
  yield insertUnlessThere(heads, namesOf(HEAD_COLUMNS), [0, 0, ''])
  return sizeOf((yield head).rows[0])
}

function* append(
  dialect: Dialect,
  size: number,
  leaves: readonly AuditLeaf[],
  state: string,
): Steps<boolean> {
  const { tables, among, placeAudit } = dialect
  const { audit, heads } = tables
  const ids = leaves.map(({ id }) => id)
  if ((yield* lockedSize(dialect)) !== size || new Set(ids).size < ids.length) return false
  const { rows } = yield sql`SELECT COUNT(*) AS found FROM ${audit}
    WHERE idx IS NULL AND ${among(raw('id'), ids)}`
  if (Number(rows[0]?.['found']) !== ids.length) return false
  for (const update of placeAudit(size, leaves)) yield update
  yield sql`UPDATE ${heads} SET n = ${size + ids.length}, state = ${state} WHERE id = 0`
  return true
}

function listAudit(
  dialect: Dialect,
  filter: AuditFilter,
  { after, limit, order }: AuditListPage,
): Sql | undefined {
  const { action, actor, subject, token, family, since, until } = filter
  const texts = [action, actor, subject, token, family, after]
  if (!texts.every((text) => text === undefined || isStorable(text))) return undefined
  const isNewest = order === 'newest'
  const conditions = [raw('body IS NOT NULL')]
  if (action !== undefined) conditions.push(sql`action = ${action}`)
  if (actor !== undefined) conditions.push(sql`actor = ${actor}`)
  if (subject !== undefined) conditions.push(sql`subject_hash = ${hashOf(subject)}`)
  if (token !== undefined) conditions.push(sql`token = ${token}`)
  if (family !== undefined) conditions.push(sql`family = ${family}`)
  if (since !== undefined) conditions.push(sql`written_at >= ${since}`)
  if (until !== undefined) conditions.push(sql`written_at < ${until}`)
  if (after !== undefined) conditions.push(isNewest ? sql`id < ${after}` : sql`id > ${after}`)
  return sql`SELECT ${NAMES} FROM ${dialect.tables.audit} WHERE ${joined(conditions, ' AND ')}
    ORDER BY id${raw(isNewest ? ' DESC' : '')} ${dialect.limit(limit)}`
}
