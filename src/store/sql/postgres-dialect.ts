/**
 * The store's SQL for PostgreSQL.
 *
 * @module
 */

import { listed, raw, type Sql, type SqlScalar, sql } from '../../clients/sql/statement.js'
import { postgresVersions } from '../../clients/sql/versions.js'
import type { AuditRow } from '../audit.js'
import type { TokenRecord } from '../store.js'
import { createArrivals, STRIPE_ROWS } from './arrivals.js'
import { AUDIT_COLUMNS, auditValues } from './audit-columns.js'
import { type Column, namesOf, TOKEN_COLUMNS, toValues } from './columns.js'
import { createAddedIndexes, createTable, type Declarations, definitionOf } from './ddl.js'
import type { Dialect, Tables } from './dialect.js'
import { upsertUsage } from './postgres-usage.js'
import {
  type Addition,
  additionsOfVersion2,
  additionsOfVersion3,
  HEAD_ROWS,
  STATE_ROWS,
  tablesOf,
  tablesOfVersion1,
  tablesOfVersion4,
  tablesOfVersion5,
  tablesOfVersion6,
} from './schema.js'

const BATCH = 1000

// Collation "C" orders by bytes, independent of the database's collation; it is also the fastest.
const DECLARATIONS: Declarations = {
  type: (type) => (type === 'number' ? 'BIGINT' : 'TEXT COLLATE "C"'),
  tableEnd: '',
  indexesWithin: false,
}

/** The dialect over tables with this prefix, in the given schema or the first of the search path. */
export function postgresDialect(prefix: string, schema: string | undefined): Dialect {
  const tables = tablesOf(prefix, schema === undefined ? '' : `"${schema}".`)
  const { tokens, arrivals, usage, states, audit, versions } = tables
  return {
    tables,
    forUpdate: raw(' FOR UPDATE'),
    forShare: raw(' FOR SHARE'),
    limit: (count) => sql`LIMIT ${count}`,
    among: (column, values) => sql`${column} = ANY(${values}::text[])`,
    insertTokens: (records) => [insertFrom(tokens, raw(''), records)],
    insertUnlessThere: (table, names, values) =>
      sql`INSERT INTO ${table} (${names}) VALUES (${listed(values)}) ON CONFLICT DO NOTHING`,
    together: (statements) => [oneOf(statements)],
    recordUsage: (usages) => [
      sql`UPDATE ${tokens} t SET last_used_at = u.at FROM (
        SELECT o.id, n.at FROM unnest(${usages.map(({ id }) => id)}::text[],
          ${usages.map(({ at }) => at)}::bigint[]) AS n (id, at)
        JOIN ${tokens} o ON o.id = n.id WHERE o.last_used_at IS NULL OR o.last_used_at < n.at
        ORDER BY o.id DESC FOR UPDATE OF o
      ) u WHERE t.id = u.id AND (t.last_used_at IS NULL OR t.last_used_at < u.at)`,
    ],
    upsertUsage: (rows) => [upsertUsage(tables, rows)],
    walksIndex: [sql`SET LOCAL enable_sort = off`],
    placeAudit: (from, leaves) => [
      sql`UPDATE ${audit} a SET idx = v.idx, hash = v.hash, place = v.place
        FROM unnest(${leaves.map(({ id }) => id)}::text[], ${leaves.map((_, i) => from + i)}::bigint[],
          ${leaves.map(({ hash }) => hash)}::text[], ${leaves.map(({ place }) => place)}::text[])
          AS v (id, idx, hash, place) WHERE a.id = v.id`,
    ],
    removeUsage: (isFolded, until) =>
      sql`DELETE FROM ${usage} WHERE (id, from_at, life) IN (
        SELECT id, from_at, life FROM ${usage} WHERE folded = ${isFolded} AND ends_at <= ${until}
        ORDER BY ends_at LIMIT ${raw(String(BATCH))} FOR UPDATE)`,
    // Rows are locked in the same order as by rotations and use reports, which prevents deadlocks.
    markRevoked: (set, where) =>
      sql`WITH hit AS (SELECT id FROM ${tokens} WHERE ${where} ORDER BY id DESC FOR UPDATE)
        UPDATE ${tokens} t SET ${set} FROM hit WHERE t.id = hit.id`,
    now: sql`SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`,
    // Skips rows locked by another purge: it is about to delete them.
    purgeBatch: (table, before) => sql`DELETE FROM ${table} WHERE id = ANY(ARRAY(
      SELECT id FROM ${table} WHERE expires_at <= ${before}
      ORDER BY expires_at LIMIT ${raw(String(BATCH))} FOR UPDATE SKIP LOCKED))`,
    ...postgresVersions(versions, schema),
    migrations: [
      [
        ...tablesOfVersion1(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        // Rebuilding the view of revocations walks only the superseded tokens.
        `CREATE INDEX IF NOT EXISTS ${prefix}tokens_superseded ON ${tokens.text} (id) WHERE superseded_at IS NOT NULL`,
      ],
      [
        ...additionsOfVersion2(tables).flatMap(alterTable),
        createArrivals(arrivals, 'SMALLINT', 'BIGINT', ''),
        `INSERT INTO ${arrivals.text} (id, n) VALUES ${STRIPE_ROWS} ON CONFLICT DO NOTHING`,
      ],
      [
        ...additionsOfVersion3(tables).flatMap(alterTable),
        // Listing the revoked tokens walks only those.
        `CREATE INDEX IF NOT EXISTS ${prefix}tokens_revoked ON ${tokens.text} (id) WHERE revoked_at IS NOT NULL`,
      ],
      [
        ...tablesOfVersion4(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        `INSERT INTO ${states.text} (id, n) VALUES ${STATE_ROWS} ON CONFLICT DO NOTHING`,
      ],
      [
        ...tablesOfVersion5(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        `INSERT INTO ${tables.heads.text} (id, n, state) VALUES ${HEAD_ROWS} ON CONFLICT DO NOTHING`,
      ],
      tablesOfVersion6(tables).flatMap((table) => createTable(table, DECLARATIONS)),
    ],
  }
}

function alterTable(addition: Addition): string[] {
  const columns = addition.columns.map(
    (column) => `ADD COLUMN IF NOT EXISTS ${definitionOf(column, DECLARATIONS)}`,
  )
  return [`ALTER TABLE ${addition.table} ${columns.join(', ')}`, ...createAddedIndexes(addition)]
}

/** One statement for any number of records, with an array for each column, so its text never changes. */
function insertFrom(tokens: Sql, lock: Sql, records: readonly TokenRecord[]): Sql {
  const rows = records.map((record) => toValues(TOKEN_COLUMNS, record))
  return sql`INSERT INTO ${tokens} (${namesOf(TOKEN_COLUMNS)})
    SELECT v.* FROM ${lock}unnest(${arraysOf(TOKEN_COLUMNS, rows)}) AS v ON CONFLICT (id) DO NOTHING`
}

/** An array for each column. */
function arraysOf<T>(columns: readonly Column<T>[], rows: readonly (readonly SqlScalar[])[]): Sql {
  return columns
    .map((column, index) => sql`${rows.map((row) => row[index] ?? null)}::${arrayOf(column)}`)
    .reduce((all, next) => sql`${all}, ${next}`)
}

function arrayOf<T>({ type }: Column<T>): Sql {
  return raw(type === 'number' ? 'bigint[]' : 'text[]')
}

/**
 * Inserts under a shared lock for the duration of the statement. The snapshot is older than the lock, which is harmless
 * because the statement decides nothing from its reads.
 */
export function guardedInsert(tokens: Sql, key: bigint, records: readonly TokenRecord[]): Sql {
  const lock = raw('making, ')
  const { text, values } = insertFrom(tokens, lock, records)
  return {
    text: `WITH making AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${key}) AS held)
    ${text}`,
    values,
  }
}

/** The same with rows of the audit, which are inserted only if a record is. */
export function guardedInsertWithAudit(
  { tokens, audit }: Pick<Tables, 'tokens' | 'audit'>,
  key: bigint,
  records: readonly TokenRecord[],
  rows: readonly AuditRow[],
): Sql {
  const made = insertFrom(tokens, raw('making, '), records)
  const arrays = arraysOf(AUDIT_COLUMNS, rows.map(auditValues))
  return sql`WITH making AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(${raw(String(key))}) AS held),
    made AS (${made} RETURNING id)
    INSERT INTO ${audit} (${namesOf(AUDIT_COLUMNS)})
    SELECT v.* FROM unnest(${arrays}) AS v WHERE EXISTS (SELECT 1 FROM made) ON CONFLICT (id) DO NOTHING`
}

// Parts of one statement see the same snapshot and must touch different rows, as these do.
function oneOf(statements: readonly Sql[]): Sql {
  const last = statements.at(-1) as Sql
  const before = statements.slice(0, -1).map((statement, index) => {
    return sql`${raw(`step${index}`)} AS (${statement})`
  })
  if (before.length === 0) return last
  return sql`WITH ${before.reduce((all, next) => sql`${all}, ${next}`)} ${last}`
}
