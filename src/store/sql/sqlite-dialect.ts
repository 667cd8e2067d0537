/**
 * The store's SQL for SQLite. SQLite has one writer at a time, so a transaction needs no further lock.
 *
 * @module
 */

import type { Guarded } from '../../clients/sql/migrations.js'
import { listed, raw, sql } from '../../clients/sql/statement.js'
import { sqliteVersions } from '../../clients/sql/versions.js'
import { listJson } from '../../lib/plain.js'
import { createArrivals, STRIPE_ROWS } from './arrivals.js'
import { namesOf, TOKEN_COLUMNS, toValues } from './columns.js'
import { createAddedIndexes, createTable, type Declarations, definitionOf } from './ddl.js'
import type { Dialect } from './dialect.js'
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
import { REPLACED, USAGE_COLUMNS } from './usage-columns.js'

const BATCH = 500

// Text in a STRICT table is compared byte by byte and never converted to a number.
const DECLARATIONS: Declarations = {
  type: (type) => (type === 'number' ? 'INTEGER' : 'TEXT'),
  tableEnd: ' STRICT',
  indexesWithin: false,
}

/** The dialect over tables with this prefix. */
export function sqliteDialect(prefix: string): Dialect {
  const tables = tablesOf(prefix)
  const { tokens, arrivals, usage, states, audit, versions } = tables
  const columns = namesOf(TOKEN_COLUMNS)
  return {
    tables,
    forUpdate: raw(''),
    forShare: raw(''),
    limit: (count) => sql`LIMIT ${count}`,
    among: (column, values) => sql`${column} IN (SELECT value FROM json_each(${listJson(values)}))`,
    insertTokens: (records) =>
      records.map(
        (record) =>
          sql`INSERT INTO ${tokens} (${columns}) VALUES (${listed(
            toValues(TOKEN_COLUMNS, record),
          )}) ON CONFLICT (id) DO NOTHING`,
      ),
    insertUnlessThere: (table, names, values) =>
      sql`INSERT INTO ${table} (${names}) VALUES (${listed(values)}) ON CONFLICT DO NOTHING`,
    together: (statements) => statements,
    recordUsage: (usages) =>
      usages.map(
        ({ id, at }) => sql`UPDATE ${tokens} SET last_used_at = ${at}
          WHERE id = ${id} AND (last_used_at IS NULL OR last_used_at < ${at})`,
      ),
    upsertUsage: (rows) =>
      rows.map(
        (row) => sql`INSERT INTO ${usage} (${namesOf(USAGE_COLUMNS)}) VALUES (${listed(row)})
          ON CONFLICT (id, from_at, life) DO UPDATE SET ${raw(
            REPLACED.map((name) => `${name} = excluded.${name}`).join(', '),
          )} WHERE excluded.total >= ${usage}.total`,
      ),
    walksIndex: [],
    placeAudit: (from, leaves) => [
      sql`UPDATE ${audit} SET idx = ${from} + v.key, hash = json_extract(v.value, '$[1]'),
        place = json_extract(v.value, '$[2]')
        FROM json_each(${listJson(leaves.map(({ id, hash, place }) => [id, hash, place]))}) AS v
        WHERE ${audit}.id = json_extract(v.value, '$[0]')`,
    ],
    removeUsage: (isFolded, until) =>
      sql`DELETE FROM ${usage} WHERE rowid IN (
        SELECT rowid FROM ${usage} WHERE folded = ${isFolded} AND ends_at <= ${until}
        ORDER BY ends_at LIMIT ${BATCH})`,
    markRevoked: (set, where) => sql`UPDATE ${tokens} SET ${set} WHERE ${where}`,
    now: sql`SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) AS now`,
    purgeBatch: (table, before) => sql`DELETE FROM ${table} WHERE id IN (
      SELECT id FROM ${table} WHERE expires_at <= ${before} ORDER BY expires_at LIMIT ${BATCH})`,
    ...sqliteVersions(versions),
    migrations: [
      [
        ...tablesOfVersion1(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        // Rebuilding the view of revocations walks only the superseded tokens.
        `CREATE INDEX IF NOT EXISTS ${tokens.text}_superseded ON ${tokens.text} (id) WHERE superseded_at IS NOT NULL`,
      ],
      [
        ...additionsOfVersion2(tables).flatMap((addition) => [
          ...addColumns(addition),
          ...createAddedIndexes(addition),
        ]),
        createArrivals(arrivals, 'INTEGER', 'INTEGER', ' STRICT'),
        `INSERT OR IGNORE INTO ${arrivals.text} (id, n) VALUES ${STRIPE_ROWS}`,
      ],
      [
        ...additionsOfVersion3(tables).flatMap((addition) => [
          ...addColumns(addition),
          ...createAddedIndexes(addition),
        ]),
        // Listing the revoked tokens walks only those.
        `CREATE INDEX IF NOT EXISTS ${tokens.text}_revoked ON ${tokens.text} (id) WHERE revoked_at IS NOT NULL`,
      ],
      [
        ...tablesOfVersion4(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        `INSERT OR IGNORE INTO ${states.text} (id, n) VALUES ${STATE_ROWS}`,
      ],
      [
        ...tablesOfVersion5(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        `INSERT OR IGNORE INTO ${tables.heads.text} (id, n, state) VALUES ${HEAD_ROWS}`,
      ],
      tablesOfVersion6(tables).flatMap((table) => createTable(table, DECLARATIONS)),
    ],
  }
}

// SQLite adds one column at a time, and has no IF NOT EXISTS for it.
function addColumns({ table, columns }: Addition): Guarded[] {
  return columns.map((column) => ({
    text: `ALTER TABLE ${table} ADD COLUMN ${definitionOf(column, DECLARATIONS)}`,
    unless: sql`SELECT 1 AS found FROM pragma_table_info(${table}) WHERE name = ${column.name}`,
  }))
}
