/**
 * A store in PostgreSQL, over the caller's own pool of the package `pg`, or over PGlite.
 *
 * @module
 */

import { checkedName, checkedPrefix } from '../clients/sql/names.js'
import {
  BEGIN,
  isPool,
  type PgliteDatabase,
  type PostgresPool,
  queries,
} from '../clients/sql/postgres-client.js'
import { lockKey, postgresRunner } from '../clients/sql/postgres-runner.js'
import { postgresIdentity } from '../clients/sql/server.js'
import { awaitSteps, type Sql, type SqlResult, type Steps } from '../clients/sql/statement.js'
import { limited, STATEMENT_MS, TRANSACTION_MS } from '../clients/sql/with-connection.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { describeClient } from '../lib/foreign-client.js'
import { invalidOption } from '../lib/invalid.js'
import { numbered, takeNumber } from './sql/arrivals.js'
import type { Dialect, Engine, Locks } from './sql/dialect.js'
import { guardedInsert, guardedInsertWithAudit, postgresDialect } from './sql/postgres-dialect.js'
import { mergeUsage } from './sql/postgres-usage.js'
import { type SqlStore, sqlStore } from './sql/store.js'

export type {
  PgliteDatabase,
  PgliteResult,
  PostgresClient,
  PostgresPool,
  PostgresQuery,
  PostgresResult,
} from '../clients/sql/postgres-client.js'
export type { SqlStore } from './sql/store.js'

/** The options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /**
   * Prefix of every table name: 1 to 31 of `a-z`, `0-9` and `_`, not starting with a digit. Default: `'watchword_'`.
   */
  readonly prefix?: string
  /**
   * The schema of the tables, which `migrate` creates if it is missing. Default: the first schema of the search path.
   */
  readonly schema?: string
  /**
   * Whether statements are prepared by name, which is about three times as fast. Set to `false` behind a PgBouncer that
   * pools by transaction without support for prepared statements. Default: `true`.
   */
  readonly prepare?: boolean
}

/**
 * A store in PostgreSQL 12 or later. The caller owns the pool: the store never ends it. The pool must connect to a
 * primary, and needs a listener for `error`, as `pg` requires.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import pg from 'pg'
 * import { postgresStore } from 'watchword/store/postgres'
 *
 * const pool = new pg.Pool({ connectionString: 'postgres://app@db.example/app' })
 * pool.on('error', (error) => console.error('an idle connection was lost', error.message))
 * const store = postgresStore(pool, { schema: 'auth' })
 * console.log(store.migrationSql())
 * ```
 */
export function postgresStore(
  pool: PostgresPool | PgliteDatabase,
  ...given: readonly [options?: PostgresStoreOptions]
): SqlStore {
  const options = adapterOptions(given, ['prefix', 'schema', 'prepare'])
  const { prepare = true, schema } = options
  if (typeof prepare !== 'boolean') throw invalidOption('prepare', 'expected true or false')
  const prefix = checkedPrefix(options.prefix)
  if (schema !== undefined) checkedName('schema', schema)
  const dialect = postgresDialect(prefix, schema)
  if (isPool(pool)) return sqlStore(engineOf(pool, dialect, prepare))
  if (typeof (pool as Partial<PgliteDatabase> | undefined)?.transaction === 'function')
    return sqlStore(pgliteEngine(pool, dialect))
  throw invalidOption('pool', `expected a Pool of pg, or a PGlite, got ${describeClient(pool)}`)
}

type Begin = (locks: Locks) => string

/**
 * Begins a transaction and takes its locks in one round trip.
 *
 * READ COMMITTED, regardless of the session's default: each later statement sees everything committed before it began,
 * including by the transactions that the lock has waited for. The timeouts end a transaction whose process was frozen,
 * and bound the wait for one.
 */
function beginner({ tables }: Dialect): Begin {
  const table = tables.tokens.text
  const making = lockKey('watchword', table)
  return ({ making: mode, holder, stripe }) => {
    const locks: string[] = []
    if (mode === 'shared') locks.push(`pg_advisory_xact_lock_shared(${making})`)
    if (mode === 'exclusive') locks.push(`pg_advisory_xact_lock(${making})`)
    if (holder !== undefined)
      locks.push(`pg_advisory_xact_lock(${lockKey('watchword', table, holder)})`)
    const select = locks.length === 0 ? '' : `; SELECT ${locks.join(', ')}`
    const update = stripe === undefined ? '' : `; ${takeNumber(tables.arrivals, stripe).text}`
    return `${BEGIN}; SET LOCAL lock_timeout = '10s'${select}${update}`
  }
}

function engineOf(pool: PostgresPool, dialect: Dialect, prepare: boolean): Engine {
  const { tokens } = dialect.tables
  const table = tokens.text
  const key = lockKey('watchword', table)
  const { run, transact, migrate } = postgresRunner({
    pool,
    prepare,
    table,
    statementMs: STATEMENT_MS,
  })
  const begin = beginner(dialect)
  return {
    name: 'postgres',
    dialect,
    run,
    transaction: (locks, steps) =>
      limited(TRANSACTION_MS, (signal) => transact(begin(locks), steps, signal)),
    identity: () => postgresIdentity(run),
    insertTokens: (records) => run(guardedInsert(tokens, key, records)),
    insertWithAudit: (records, rows) =>
      run(guardedInsertWithAudit(dialect.tables, key, records, rows)),
    mergeUsage: (rows) => run(mergeUsage(dialect.tables, rows)),
    migrate,
  }
}

/** There is one connection, so transactions exclude each other and need no lock. */
function pgliteEngine(database: PgliteDatabase, dialect: Dialect): Engine {
  const toQuery = queries(false)
  const ask = async (client: Pick<PgliteDatabase, 'query'>, statement: Sql): Promise<SqlResult> => {
    const { text, values = [] } = toQuery(statement)
    if (!text.startsWith('SELECT')) {
      const { affectedRows = 0 } = await client.query(text, values)
      return { rows: [], changes: affectedRows }
    }
    // PGlite drops a U+FEFF at the start of a text; JSON text starts with another character.
    const { rows } = await client.query(`SELECT to_json(q)::text AS row FROM (${text}) q`, values)
    return { rows: rows.map((row) => JSON.parse((row as { row: string }).row)), changes: 0 }
  }
  const transact = <T>(steps: () => Steps<T>) =>
    database.transaction((client) => awaitSteps(steps(), (statement) => ask(client, statement)))
  const { arrivals } = dialect.tables
  const run = (statement: Sql) => ask(database, statement)
  return {
    name: 'postgres',
    dialect,
    run,
    transaction: ({ stripe }, steps) => transact(() => numbered(arrivals, stripe, steps)),
    identity: () => postgresIdentity(run),
    migrate: transact,
  }
}
