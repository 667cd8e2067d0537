/**
 * A handle of SQLite: its shape, and how statements and transactions are run on it.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import {
  type Answer,
  type Row,
  runSteps,
  type Sql,
  type SqlScalar,
  type Steps,
} from './statement.js'

/** What an adapter uses of a prepared statement. */
export interface SqliteStatement {
  run(...values: SqlScalar[]): { readonly changes: number | bigint }
  all(...values: SqlScalar[]): unknown[]
}

/** What an adapter uses of a database: met by `better-sqlite3`, `libsql` and `DatabaseSync` of `node:sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

/** A handle on which statements are run. */
export interface SqliteClient {
  run(statement: Sql): Answer
  /** Runs the steps as one transaction, without giving way to anything else of this process. */
  transaction<T>(steps: () => Steps<T>): T
  /** The same, and waits while another process writes. */
  migrate(steps: () => Steps<void>): Promise<void>
}

/** A client over the caller's handle. Throws `ERR_INVALID_OPTION` when it is none. */
export function sqliteClient(database: SqliteDatabase): SqliteClient {
  if (typeof database?.exec !== 'function' || typeof database.prepare !== 'function') {
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      'database: expected a handle of better-sqlite3, libsql or node:sqlite',
    )
  }
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
  return { run, transaction, migrate: (steps) => whileBusy(() => transaction(steps)) }
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
