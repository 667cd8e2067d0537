/**
 * A store in SQLite, over the caller's own database handle: `better-sqlite3`, `libsql` or `node:sqlite`.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { Engine } from './sql/dialect.js'
import { checkedPrefix, checkOptions } from './sql/schema.js'
import { sqliteDialect } from './sql/sqlite-dialect.js'
import {
  type Answer,
  type Row,
  runSteps,
  type Sql,
  type SqlScalar,
  type Steps,
} from './sql/statement.js'
import { type SqlStore, sqlStore } from './sql/store.js'

export type { SqlStore } from './sql/store.js'

/** What the store uses of a prepared statement. */
export interface SqliteStatement {
  run(...values: SqlScalar[]): { readonly changes: number | bigint }
  all(...values: SqlScalar[]): unknown[]
}

/** What the store uses of a database: met by `better-sqlite3`, `libsql` and `DatabaseSync` of `node:sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

/** The options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** Begins the name of every table: 1 to 31 of `a-z`, `0-9` and `_`, no digit first. Default: `'watchword_'`. */
  readonly prefix?: string
}

/**
 * A store in SQLite, for one machine. The database stays the caller's: the store never closes it, and changes none of
 * its settings. Give the store a handle of its own, so that no transaction of another part of the program is open on
 * it; set `PRAGMA journal_mode = WAL`, so that readers and the writer do not wait for one another, and a busy timeout,
 * for as long as which a write blocks the process while another process writes.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import Database from 'libsql'
 * import { sqliteStore } from 'watchword/store/sqlite'
 *
 * const database = new Database(':memory:', { timeout: 1000 })
 * database.exec('PRAGMA journal_mode = WAL')
 * const store = sqliteStore(database)
 * await store.migrate()
 * ```
 */
export function sqliteStore(database: SqliteDatabase, options: SqliteStoreOptions = {}): SqlStore {
  checkOptions(options, ['prefix'])
  if (typeof database?.exec !== 'function' || typeof database.prepare !== 'function') {
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      'database: expected a handle of better-sqlite3, libsql or node:sqlite',
    )
  }
  return sqlStore(engineOf(database, checkedPrefix(options.prefix)))
}

function engineOf(database: SqliteDatabase, prefix: string): Engine {
  const run = runner(database)
  const transaction = <T>(steps: () => Steps<T>): T => {
    // Outside of the try: when this fails, a transaction that is open is not ours to roll back.
    database.exec('BEGIN IMMEDIATE')
    try {
      const result = runSteps(steps(), run)
      database.exec('COMMIT')
      return result
    } catch (error) {
      rollBack(database)
      throw error
    }
  }
  return {
    name: 'sqlite',
    dialect: sqliteDialect(prefix),
    run: async (statement) => run(statement),
    transaction: async (_locks, steps) => transaction(steps),
    migrate: (steps) => whileBusy(() => transaction(steps)),
  }
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // A full disk or a failed write has rolled back already.
  }
}

function runner(database: SqliteDatabase): (statement: Sql) => Answer {
  const prepared = new Map<string, SqliteStatement>()
  return ({ text, values, once }) => {
    // A statement of libsql outlives its database, and would answer from a file that the caller has closed.
    if ((database as { readonly open?: unknown }).open === false)
      throw new Error('the database is closed')
    const statement = prepared.get(text) ?? database.prepare(text)
    if (!once) prepared.set(text, statement)
    const scalars = values as SqlScalar[]
    if (text.startsWith('SELECT')) return { rows: statement.all(...scalars) as Row[], changes: 0 }
    return { rows: [], changes: Number(statement.run(...scalars).changes) }
  }
}

const BUSY = 5
const BUSY_RETRIES = 100
const BUSY_PAUSE_MS = 50

/** Ten processes that start at once create the tables one after the other, whatever busy timeout their handles have. */
async function whileBusy(work: () => void): Promise<void> {
  for (let retry = 0; ; retry++) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || retry === BUSY_RETRIES) throw error
      await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS))
    }
  }
}

function isBusy(error: unknown): boolean {
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown }
  // The primary code is the low byte of node:sqlite's; the others spell it out.
  if (typeof errcode === 'number') return (errcode & 0xff) === BUSY
  return typeof code === 'string' && code.startsWith('SQLITE_BUSY')
}
