/**
 * A pool of the package `pg`, or PGlite: their shapes, and how statements are run on them.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { type Lender, lend } from './lend.js'
import type { Answer, Row, Sql } from './statement.js'

/** What a query is sent as. */
export interface PostgresQuery {
  readonly text: string
  /** The name of the prepared statement. */
  readonly name?: string
  readonly values?: unknown[]
}

/** What an adapter uses of a result. */
export interface PostgresResult {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
}

/** What an adapter uses of a pool of the package `pg`. */
export interface PostgresPool {
  query(query: PostgresQuery): Promise<PostgresResult>
  connect(): Promise<PostgresClient>
}

/** What an adapter uses of a client that it took from the pool. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>
  release(error?: Error): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** What an adapter uses of PGlite: PostgreSQL within the process, on one connection. */
export interface PgliteDatabase {
  query(text: string, values: unknown[]): Promise<PgliteResult>
  transaction<T>(work: (transaction: Pick<PgliteDatabase, 'query'>) => Promise<T>): Promise<T>
}

/** What an adapter uses of a result of PGlite. */
export interface PgliteResult {
  readonly rows: readonly unknown[]
  readonly affectedRows?: number
}

/** Whether it is a pool of `pg`, and not a PGlite. */
export function isPool(pool: PostgresPool | PgliteDatabase): pool is PostgresPool {
  return typeof (pool as Partial<PostgresPool> | undefined)?.connect === 'function'
}

/**
 * Begins a transaction whose statements each see what was committed before them, and which ends by itself if its
 * process is frozen.
 */
export const BEGIN =
  "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '10s'"

const LENDER = (pool: PostgresPool): Lender<PostgresClient> => ({
  async take() {
    const client = await pool.connect()
    // A client that is lent out has no listener, and a lost connection would end the process.
    client.on('error', ignore)
    return client
  },
  release(client) {
    client.removeListener('error', ignore)
    client.release()
  },
  destroy: (client, error) => client.release(error),
})

/** Lends a client of the pool. */
export function withClient<T>(
  pool: PostgresPool,
  work: (client: PostgresClient) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return lend(LENDER(pool), work, signal)
}

function ignore(): void {}

/** Statements as Postgres takes them, each text worked out once. The name is of the text: one name, one statement. */
export function queries(prepare: boolean): (statement: Sql) => PostgresQuery {
  const known = new Map<string, { readonly text: string; readonly name?: string }>()
  return ({ text, values, once }) => {
    let query = known.get(text)
    if (query === undefined) {
      query = { text: numbered(text) }
      if (prepare && !once) query = { ...query, name: nameOf(text) }
      if (!once) known.set(text, query)
    }
    return { ...query, values: [...values] }
  }
}

function numbered(text: string): string {
  let count = 0
  return text.replaceAll('?', () => `$${++count}`)
}

function nameOf(text: string): string {
  return `watchword_${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
}

/** An answer of `pg` in the common shape. */
export function answerOf({ rows, rowCount }: PostgresResult): Answer {
  return { rows: rows as Row[], changes: rowCount ?? 0 }
}

/** A serialization failure and a deadlock: Postgres has rolled the transaction back. */
export function isUndone(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | null)?.code
  return code === '40001' || code === '40P01'
}
