/**
 * The store's SQL for MySQL 8 and MariaDB.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { Guarded } from '../../clients/sql/migrations.js'
import {
  joined,
  listed,
  once,
  raw,
  type Sql,
  type SqlScalar,
  sql,
} from '../../clients/sql/statement.js'
import { mysqlVersions } from '../../clients/sql/versions.js'
import type { AuditLeaf } from '../audit.js'
import type { TokenRecord } from '../store.js'
import { createArrivals, STRIPE_ROWS } from './arrivals.js'
import { namesOf, TOKEN_COLUMNS, toValues } from './columns.js'
import { createTable, type Declarations, definitionOf } from './ddl.js'
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

// Binary types: a collation could fold case or accents, or ignore trailing spaces.
const DECLARATIONS: Declarations = {
  type(type) {
    if (type === 'number') return 'BIGINT'
    if (type === 'long') return 'MEDIUMBLOB'
    return type === 'json' ? 'BLOB' : `VARBINARY(${type})`
  },
  tableEnd: ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC',
  indexesWithin: true,
}

// The first row of the table of locks. The other rows are shared among the holders.
const MAKING = 0
const HOLDERS = 64

// Each row of an update is compared with every one of its cases.
const PLACES = 100

function placeRows(audit: Sql, from: number, leaves: readonly AuditLeaf[]): Sql {
  const byId = (value: (leaf: AuditLeaf, i: number) => SqlScalar) => {
    const cases = leaves.map((leaf, i) => sql`WHEN ${leaf.id} THEN ${value(leaf, i)}`)
    return sql`CASE id ${joined(cases, ' ')} END`
  }
  return once(sql`UPDATE ${audit} SET idx = ${byId((_, i) => from + i)},
    hash = ${byId(({ hash }) => hash)}, place = ${byId(({ place }) => place)}
    WHERE id IN (${listed(leaves.map(({ id }) => id))})`)
}

/** The dialect over tables with this prefix. */
export function mysqlDialect(prefix: string): Dialect {
  const tables = tablesOf(prefix)
  const { tokens, arrivals, usage, states, audit, versions } = tables
  const locks = locksOf(prefix).text
  const rows = Array.from({ length: HOLDERS + 1 }, (_, row) => `(${row})`)
  return {
    tables,
    forUpdate: raw(' FOR UPDATE'),
    forShare: raw(' LOCK IN SHARE MODE'),
    // A bound number is sent as a float, which LIMIT rejects.
    limit: (count) => raw(`LIMIT ${Math.trunc(count)}`),
    among: (column, values) => {
      const condition = sql`${column} IN (${listed(values)})`
      return values.length > 1 ? once(condition) : condition
    },
    insertTokens: (records) => {
      const values = records.map((record) => sql`(${listed(toValues(TOKEN_COLUMNS, record))})`)
      const insert = sql`INSERT INTO ${tokens} (${namesOf(TOKEN_COLUMNS)})
        VALUES ${joined(values, ', ')} ON DUPLICATE KEY UPDATE id = ${tokens}.id`
      return [records.length > 1 ? once(insert) : insert]
    },
    insertUnlessThere: (table, names, values) =>
      sql`INSERT IGNORE INTO ${table} (${names}) VALUES (${listed(values)})`,
    together: (statements) => statements,
    // A single table, because sql_safe_updates rejects joins. Rows are locked in the order of the reports, highest id
    // first.
    recordUsage: (usages) => {
      const cases = usages.map(({ id, at }) => sql`WHEN ${id} THEN ${at}`)
      const newest = sql`CASE id ${joined(cases, ' ')} END`
      const update = sql`UPDATE ${tokens} SET last_used_at = ${newest}
        WHERE id IN (${listed(usages.map(({ id }) => id))})
          AND (last_used_at IS NULL OR last_used_at < ${newest}) ORDER BY id DESC`
      return [once(update)]
    },
    upsertUsage: (rows) => {
      const values = rows.map((row) => sql`(${listed(row)})`)
      const isLarger = 'VALUES(total) >= total'
      const sets = REPLACED.map((name) => `${name} = IF(${isLarger}, VALUES(${name}), ${name})`)
      const upsert = sql`INSERT INTO ${usage} (${namesOf(USAGE_COLUMNS)}) VALUES ${joined(values, ', ')}
        ON DUPLICATE KEY UPDATE ${raw(sets.join(', '))}`
      return [rows.length > 1 ? once(upsert) : upsert]
    },
    walksIndex: [],
    placeAudit: (from, leaves) => {
      const updates: Sql[] = []
      for (let at = 0; at < leaves.length; at += PLACES)
        updates.push(placeRows(audit, from + at, leaves.slice(at, at + PLACES)))
      return updates
    },
    removeUsage: (isFolded, until) =>
      sql`DELETE FROM ${usage} WHERE folded = ${isFolded} AND ends_at <= ${until}
        ORDER BY ends_at LIMIT ${raw(String(BATCH))}`,
    // The limit is never reached: a session with sql_safe_updates rejects an update that has neither a key nor a limit.
    markRevoked: (set, where) =>
      sql`UPDATE ${tokens} SET ${set} WHERE ${where} LIMIT ${raw(String(2n ** 63n - 1n))}`,
    // Computed as a difference, because the session's time zone does not affect it.
    now: sql`SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000 AS now`,
    purgeBatch: (table, before) =>
      sql`DELETE FROM ${table} WHERE expires_at <= ${before}
        ORDER BY expires_at LIMIT ${raw(String(BATCH))}`,
    ...mysqlVersions(versions),
    migrations: [
      [
        `CREATE TABLE IF NOT EXISTS ${locks} (id SMALLINT NOT NULL PRIMARY KEY) ENGINE = InnoDB`,
        `INSERT IGNORE INTO ${locks} (id) VALUES ${rows.join(', ')}`,
        ...tablesOfVersion1(tables).flatMap((table) => createTable(table, DECLARATIONS)),
      ],
      [
        ...additionsOfVersion2(tables).map(alterTable),
        createArrivals(arrivals, 'SMALLINT', 'BIGINT', ' ENGINE = InnoDB'),
        `INSERT IGNORE INTO ${arrivals.text} (id, n) VALUES ${STRIPE_ROWS}`,
      ],
      additionsOfVersion3(tables).map((addition) =>
        // There is no partial index: this one lets a list of the revoked tokens read only those.
        alterTable({ ...addition, indexes: { ...addition.indexes, revoked: 'revoked_at, id' } }),
      ),
      [
        ...tablesOfVersion4(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        `INSERT IGNORE INTO ${states.text} (id, n) VALUES ${STATE_ROWS}`,
      ],
      [
        ...tablesOfVersion5(tables).flatMap((table) => createTable(table, DECLARATIONS)),
        `INSERT IGNORE INTO ${tables.heads.text} (id, n, state) VALUES ${HEAD_ROWS}`,
      ],
      tablesOfVersion6(tables).flatMap((table) => createTable(table, DECLARATIONS)),
    ],
  }
}

// One statement for each table, so it is altered atomically. Any of its new columns shows whether it was.
function alterTable({ table, columns, indexes }: Addition): Guarded {
  const parts = [
    ...columns.map((column) => `ADD COLUMN ${definitionOf(column, DECLARATIONS)}`),
    ...Object.entries(indexes).map(([end, keys]) => `ADD KEY ${table}_${end} (${keys})`),
  ]
  return {
    text: `ALTER TABLE ${table} ${parts.join(', ')}`,
    unless: sql`SELECT 1 AS found FROM information_schema.columns WHERE table_schema = DATABASE()
      AND table_name = ${table} AND column_name IN (${listed(columns.map(({ name }) => name))})`,
  }
}

function locksOf(prefix: string): Sql {
  return raw(`${prefix}locks`)
}

/** The statement that takes the lock for creating tokens. A row lock always ends with its transaction. */
export function lockMaking(prefix: string, mode: 'shared' | 'exclusive'): Sql {
  const end = raw(mode === 'shared' ? 'LOCK IN SHARE MODE' : 'FOR UPDATE')
  return sql`SELECT id ${fromMaking(prefix)} ${end}`
}

function fromMaking(prefix: string): Sql {
  return sql`FROM ${locksOf(prefix)} WHERE id = ${raw(String(MAKING))}`
}

/** Inserts a record if it does not exist, under the shared lock for the duration of the statement. */
export function guardedInsert(prefix: string, record: TokenRecord): Sql {
  const { tokens } = tablesOf(prefix)
  // Not prepared: the server cannot infer the types of parameters in a SELECT list.
  return once(sql`INSERT INTO ${tokens} (${namesOf(TOKEN_COLUMNS)})
    SELECT ${listed(toValues(TOKEN_COLUMNS, record))} ${fromMaking(prefix)} LOCK IN SHARE MODE
    ON DUPLICATE KEY UPDATE ${tokens}.id = ${tokens}.id`)
}

/** The statement that locks a holder. Several holders share one row. */
export function lockHolder(prefix: string, holder: string): Sql {
  const row = 1 + (createHash('sha256').update(holder).digest().readUInt8() % HOLDERS)
  return sql`SELECT id FROM ${locksOf(prefix)} WHERE id = ${row} FOR UPDATE`
}
