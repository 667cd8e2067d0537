/**
 * A pool of the package `pg`, or PGlite: their types, and how statements run on them.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { isRedisClient } from '../../lib/foreign-client.js'
import { PARSERS, type PostgresParsers } from './postgres-values.js'
import type { Row, Sql, SqlResult } from './statement.js'
import { type PoolAdapter, withPooledConnection } from './with-connection.js'

/** The form in which a query is sent. */
export interface PostgresQuery {
  readonly text: string
  /** The name of the prepared statement. */
  readonly name?: string
  readonly values?: unknown[]
  /** How columns are parsed, regardless of the pool's settings. */
  readonly types?: PostgresParsers
}

/** The used part of a result. */
export interface PostgresResult {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
}

/** The used part of a pool of the package `pg`. */
export interface PostgresPool {
  connect(done: (error: Error | null | undefined, client?: PostgresClient) => void): unknown
  /** The number of idle connections. */
  readonly idleCount?: number
}

/** The used part of a client from the pool. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>
  release(error?: Error): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** The used part of PGlite: PostgreSQL in this process, on one connection. */
export interface PgliteDatabase {
  query(text: string, values: unknown[]): Promise<PgliteResult>
  transaction<T>(work: (transaction: Pick<PgliteDatabase, 'query'>) => Promise<T>): Promise<T>
}

/** The used part of a result of PGlite. */
export interface PgliteResult {
  readonly rows: readonly unknown[]
  readonly affectedRows?: number
}

/** Whether it is a pool of `pg`, and not a PGlite. */
export function isPool(pool: PostgresPool | PgliteDatabase): pool is PostgresPool {
  // A Redis client also has `connect`, and would fail only at the first call.
  return (
    typeof (pool as Partial<PostgresPool> | undefined)?.connect === 'function' &&
    !isRedisClient(pool)
  )
}

/**
 * Begins a transaction whose statements each see everything committed before them, and which the server ends if the
 * process is frozen.
 */
export const BEGIN =
  "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '10s'"

const LENDER = (pool: PostgresPool): PoolAdapter<PostgresClient> => ({
  take: () =>
    new Promise((resolve, reject) => {
      const taken = (client: PostgresClient): void => {
        client.on('error', ignore)
        resolve(client)
      }
      // With a callback: the pool removes its own `error` listener just before calling back. With a promise, a
      // connection lost before the continuation runs has no listener, and its `error` event would end the process.
      const promise = pool.connect((error, client) => {
        if (client === undefined) reject(error ?? new Error('the pool gave no client'))
        else taken(client)
      })
      // A wrapped pool may only support promises.
      if (promise instanceof Promise) promise.then(taken, reject)
    }),
  release(client) {
    client.removeListener('error', ignore)
    client.release()
  },
  destroy: (client, error) => client.release(error),
  pool,
  idle: () => pool.idleCount ?? 0,
  check: (client) => client.query({ text: 'SELECT 1' }),
})

/** Runs work on a client of the pool. */
export function withClient<T>(
  pool: PostgresPool,
  work: (client: PostgresClient) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withPooledConnection(LENDER(pool), work, signal)
}

function ignore(): void {}

/**
 * Statements in the form of `pg`, with each text rendered once. The name is derived from the text, so each name has one
 * statement.
 *
 * A retry uses unnamed statements, so it does not depend on the state of the prepared statements.
 */
export function queries(prepare: boolean): (statement: Sql, attempt?: number) => PostgresQuery {
  const known = new Map<string, { readonly text: string; readonly name: string }>()
  return ({ text, values, once }, attempt = 1) => {
    const bound = { values: [...values], types: PARSERS }
    if (once || !prepare || attempt > 1) return { text: numbered(text), ...bound }
    let query = known.get(text)
    if (query === undefined) {
      query = { text: numbered(text), name: nameOf(text) }
      known.set(text, query)
    }
    return { ...query, ...bound }
  }
}

function numbered(text: string): string {
  let count = 0
  return text.replaceAll('?', () => `$${++count}`)
}

function nameOf(text: string): string {
  return `watchword_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
}

/** Converts a result of `pg` to the common form. */
export function resultOf({ rows, rowCount }: PostgresResult): SqlResult {
  return { rows: rows as Row[], changes: rowCount ?? 0 }
}

const NO_SUCH_STATEMENT = '26000'
const STATEMENT_EXISTS = '42P05'
// A serialization failure or a deadlock, after which PostgreSQL has rolled back the transaction; or a prepared
// statement that is missing or belongs to another client, with which nothing ran.
const UNDONE: ReadonlySet<unknown> = new Set([
  '40001',
  '40P01',
  NO_SUCH_STATEMENT,
  STATEMENT_EXISTS,
])

/** Whether nothing of the statement or its transaction was written, so it may run again. */
export function isUndone(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code
  if (code === STATEMENT_EXISTS) warnOfPooler()
  return UNDONE.has(code)
}

let warned = false

// A missing statement may result from `DEALLOCATE ALL`. One that already exists can only result from a pooler.
function warnOfPooler(): void {
  if (warned) return
  warned = true
  process.emitWarning(
    'a pooler such as PgBouncer in transaction mode breaks prepared statements: pass prepare: false to postgresStore and postgresFeed',
    {
      type: 'WatchwordWarning',
      code: 'WATCHWORD_PREPARED_STATEMENTS',
      detail: 'Until then, each affected call is sent twice.',
    },
  )
}
