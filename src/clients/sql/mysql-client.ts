/**
 * A pool of `mysql2/promise`: its types, and how statements and transactions run on it.
 *
 * @module
 */

import { describeClient } from '../../lib/foreign-client.js'
import { invalidOption } from '../../lib/invalid.js'
import {
  awaitSteps,
  once,
  type Row,
  type Sql,
  type SqlResult,
  type SqlScalar,
  type Steps,
  sql,
} from './statement.js'
import { type PoolAdapter, withPooledConnection } from './with-connection.js'

/** The form in which a statement is sent: rows as objects, regardless of the pool's settings. */
export interface MysqlQuery {
  readonly sql: string
  readonly rowsAsArray: false
  readonly nestTables: false
  readonly typeCast: true
}

/** The values that an adapter binds. Text is sent as bytes, because the connection's character set could change it. */
export type MysqlValue = Buffer | number | null

/** Runs statements, prepared by the server or assembled by the client. */
export interface MysqlConnection {
  execute(query: MysqlQuery, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
  query(query: MysqlQuery, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
}

/** The used part of a connection from the pool. */
export interface MysqlPoolConnection extends MysqlConnection {
  beginTransaction(): Promise<void>
  commit(): Promise<void>
  release(): void
  destroy(): void
}

/** The used part of a pool of `mysql2/promise`. */
export interface MysqlPool extends MysqlConnection {
  getConnection(): Promise<MysqlPoolConnection>
}

/** A pool of `mysql2` with callbacks. */
export interface MysqlCallbackPool {
  promise(): MysqlPool
}

/** Returns the pool, or the promise pool of a callback pool. Throws `ERR_INVALID_OPTION` if it is neither. */
export function checkedPool(pool: MysqlPool | MysqlCallbackPool): MysqlPool {
  // Only a callback pool has a `promise` method, and its `getConnection` would never resolve.
  const promises = has(pool, 'promise') ? (pool as MysqlCallbackPool).promise() : pool
  if (has(promises, 'getConnection') && has(promises, 'execute')) return promises as MysqlPool
  throw invalidOption(
    'pool',
    `expected a pool of mysql2/promise, such as createPool(uri), rather than a connection or another package, got ${describeClient(pool)}`,
  )
}

function has(object: unknown, method: string): boolean {
  return typeof (object as Record<string, unknown> | null | undefined)?.[method] === 'function'
}

const AUTOCOMMIT = sql`SELECT @@autocommit AS autocommit`

/** Rejects with `ERR_INVALID_OPTION` if the connections have autocommit off. */
export async function checkAutocommit(connection: MysqlConnection): Promise<void> {
  const { rows } = await ask(connection, AUTOCOMMIT)
  if (Number(rows[0]?.['autocommit']) === 1) return
  throw invalidOption(
    'pool',
    'its connections have autocommit off, so nothing would be committed and reads would be outdated; remove `SET autocommit=0` from the pool and from init_connect',
  )
}

/**
 * Runs the steps while no other process migrates tables of this prefix. Statements that create tables commit
 * implicitly, so a named lock spans them. It ends with its connection.
 */
export async function migrating(
  connection: MysqlPoolConnection,
  prefix: string,
  steps: () => Steps<void>,
): Promise<void> {
  await checkAutocommit(connection)
  const name = sql`CONCAT('watchword.', SHA1(CONCAT(DATABASE(), '.', ${prefix})))`
  const taken = await ask(connection, once(sql`SELECT GET_LOCK(${name}, 60) AS taken`))
  if (Number(taken.rows[0]?.['taken']) !== 1)
    throw new Error('another process has been migrating for a minute')
  await awaitSteps(steps(), (statement) => ask(connection, statement))
  await ask(connection, once(sql`SELECT RELEASE_LOCK(${name}) AS released`))
}

const LENDER = (pool: MysqlPool): PoolAdapter<MysqlPoolConnection> => ({
  take: () => pool.getConnection(),
  release: (connection) => connection.release(),
  destroy(connection) {
    connection.destroy()
    // `end` only sends a quit command. A lost server never responds to it, and the socket would stay open for minutes.
    const { connection: inner } = connection as MysqlPoolConnection & WithSocket
    inner?.stream?.destroy?.()
  },
  pool,
  idle: () => (pool as WithFree).pool?._freeConnections?.length ?? 0,
  check: (connection) => ask(connection, ANY),
})

const ANY = once(sql`SELECT 1 AS found`)

/** The property in which `mysql2` keeps idle connections. */
interface WithFree {
  readonly pool?: { readonly _freeConnections?: { readonly length: number } }
}

/** Where `mysql2` keeps the socket of a connection. */
interface WithSocket {
  readonly connection?: { readonly stream?: { destroy?(): unknown } }
}

/** Runs work on a connection of the pool. */
export function withConnection<T>(
  pool: MysqlPool,
  work: (connection: MysqlPoolConnection) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withPooledConnection(LENDER(pool), work, signal)
}

/** Runs a statement. */
export async function ask(connection: MysqlConnection, statement: Sql): Promise<SqlResult> {
  const query = { sql: statement.text, ...SHAPE }
  const values = statement.values.map((value) => toBound(value as SqlScalar))
  // Only numbers and bytes, which are written as digits, so no value can end a literal.
  const reply: unknown = statement.once
    ? await connection.query(query, values)
    : await connection.execute(query, values)
  if (!Array.isArray(reply)) throw invalidOption('pool', 'expected a pool of mysql2/promise')
  const [result] = reply as readonly unknown[]
  if (Array.isArray(result)) return { rows: result as Row[], changes: 0 }
  return { rows: [], changes: (result as { readonly affectedRows: number }).affectedRows }
}

/**
 * For the next transaction only: each statement sees everything committed before it, and no gap locks block inserts.
 */
export const READ_COMMITTED = once(sql`SET TRANSACTION ISOLATION LEVEL READ COMMITTED`)

const SHAPE = { rowsAsArray: false, nestTables: false, typeCast: true } as const

function toBound(value: SqlScalar): MysqlValue {
  if (typeof value === 'string') return Buffer.from(value)
  if (!(value instanceof Uint8Array)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

const UNDONE: ReadonlySet<unknown> = new Set([1213, 1020])

/**
 * A deadlock, or a row that changed under the snapshot of its transaction. Not a lock wait timeout: it takes 50 seconds
 * by default, and the caller has given up by then.
 */
export function isUndone(error: unknown): boolean {
  return UNDONE.has((error as { readonly errno?: unknown } | null)?.errno)
}
