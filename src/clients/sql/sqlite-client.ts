/**
 * A handle of SQLite: its types, and how statements and transactions run on it.
 *
 * @module
 */

import { describeClient } from '../../lib/foreign-client.js'
import { invalidOption } from '../../lib/invalid.js'
import { fileGuard, type SqliteUse } from './sqlite-file.js'
import {
  type Row,
  runSteps,
  type Sql,
  type SqlResult,
  type SqlScalar,
  type Steps,
} from './statement.js'

/** The used part of a prepared statement. */
export interface SqliteStatement {
  run(...values: SqlScalar[]): { readonly changes: number | bigint }
  all(...values: SqlScalar[]): unknown[]
}

/** The used part of a database, as provided by `better-sqlite3`, `libsql` and `DatabaseSync` of `node:sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

/** A handle that runs statements. A statement waits while another process writes, without blocking this process. */
export interface SqliteClient {
  run(statement: Sql, signal?: AbortSignal): Promise<SqlResult>
  /** Runs the steps as one transaction, without yielding to other code of this process. */
  transaction<T>(steps: () => Steps<T>, signal?: AbortSignal): Promise<T>
}

/** A client over the caller's handle. Throws `ERR_INVALID_OPTION` if it is not a handle. */
export function sqliteClient(database: SqliteDatabase, use: SqliteUse): SqliteClient {
  if (typeof database?.exec !== 'function' || typeof database.prepare !== 'function') {
    throw invalidOption(
      'database',
      `expected a handle of better-sqlite3, libsql or node:sqlite, got ${describeClient(database)}`,
    )
  }
  const run = runner(database)
  const guard = fileGuard(database, use)
  const transact = <T>(steps: () => Steps<T>): T => {
    // Outside of the try: if BEGIN fails, an open transaction belongs to the caller and must not be rolled back.
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
  const atOnce = impatient(database)
  const attempt = <T>(work: () => T, signal?: AbortSignal): Promise<T> =>
    whileBusy(() => {
      ensureOpen(database)
      guard()
      return atOnce(work)
    }, signal)
  return {
    run: (statement, signal) => attempt(() => run(statement), signal),
    transaction: (steps, signal) => attempt(() => transact(steps), signal),
  }
}

/** Runs work with the handle's busy timeout set to 0, since SQLite would block the whole process, and restores it. */
function impatient(database: SqliteDatabase): <T>(work: () => T) => T {
  let asked: SqliteStatement | undefined
  return (work) => {
    asked ??= database.prepare('PRAGMA busy_timeout')
    const [row] = asked.all() as { readonly timeout?: unknown }[]
    const timeout = Number(row?.timeout ?? 0)
    if (timeout === 0) return work()
    database.exec('PRAGMA busy_timeout = 0')
    try {
      return work()
    } finally {
      database.exec(`PRAGMA busy_timeout = ${timeout}`)
    }
  }
}

// A libsql statement outlives its database, and would read from a file that the caller has closed.
function ensureOpen(database: SqliteDatabase): void {
  if ((database as { readonly open?: unknown }).open === false)
    throw new Error('the database is closed')
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // After a full disk or a failed write, SQLite has already rolled back.
  }
}

function runner(database: SqliteDatabase): (statement: Sql) => SqlResult {
  const prepared = new Map<string, SqliteStatement>()
  return ({ text, values, once }) => {
    const statement = prepared.get(text) ?? database.prepare(text)
    if (!once) prepared.set(text, statement)
    const scalars = values as SqlScalar[]
    if (text.startsWith('SELECT')) return { rows: statement.all(...scalars) as Row[], changes: 0 }
    return { rows: [], changes: Number(statement.run(...scalars).changes) }
  }
}

const BUSY = 5
// Longer than the timeout of any call, and short enough not to look like a hung process.
const PATIENCE_MS = 5000
const LONGEST_PAUSE_MS = 50

/** Retries while another process has the required lock. A busy attempt has written nothing. */
async function whileBusy<T>(work: () => T, signal?: AbortSignal): Promise<T> {
  const until = performance.now() + PATIENCE_MS
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    signal?.throwIfAborted()
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
}

function isBusy(error: unknown): boolean {
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown }
  // The primary code is the low byte of the number in node:sqlite; the other libraries give its name.
  if (typeof errcode === 'number') return (errcode & 0xff) === BUSY
  return typeof code === 'string' && code.startsWith('SQLITE_BUSY')
}
