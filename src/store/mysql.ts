/**
 * A store in MySQL 8 or MariaDB, over the caller's own pool of the package `mysql2/promise`.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { Engine, Locks } from './sql/dialect.js'
import { guardedInsert, lockHolder, lockMaking, mysqlDialect } from './sql/mysql-dialect.js'
import { withRetries } from './sql/retry.js'
import { checkedPrefix, checkOptions } from './sql/schema.js'
import {
  type Answer,
  awaitSteps,
  once,
  type Row,
  type Sql,
  type SqlScalar,
  type Steps,
  sql,
} from './sql/statement.js'
import { type SqlStore, sqlStore } from './sql/store.js'
import { insertTokens } from './sql/tokens.js'

export type { SqlStore } from './sql/store.js'

/** What a statement is sent as: rows as objects, whatever the pool's own settings are. */
export interface MysqlQuery {
  readonly sql: string
  readonly rowsAsArray: false
  readonly nestTables: false
  readonly typeCast: true
}

/** What the store binds. Text is sent as its bytes, so that no character set of the connection changes it. */
export type MysqlValue = Buffer | number | null

/** What runs statements: prepared by the server, or put together by the client. */
export interface MysqlConnection {
  execute(query: MysqlQuery, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
  query(query: MysqlQuery, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
}

/** What the store uses of a connection that it took from the pool. */
export interface MysqlPoolConnection extends MysqlConnection {
  beginTransaction(): Promise<void>
  commit(): Promise<void>
  release(): void
  destroy(): void
}

/** What the store uses of a pool of `mysql2/promise`. */
export interface MysqlPool extends MysqlConnection {
  getConnection(): Promise<MysqlPoolConnection>
}

/** The options of {@link mysqlStore}. */
export interface MysqlStoreOptions {
  /** Begins the name of every table: 1 to 31 of `a-z`, `0-9` and `_`, no digit first. Default: `'watchword_'`. */
  readonly prefix?: string
}

/**
 * A store in MySQL 8 or MariaDB 10.6 and later, on InnoDB. The pool stays the caller's: the store never ends it. Give it
 * a primary to connect to, a database in which the tables are to be, and no binary log by statement: transactions are
 * READ COMMITTED.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import mysql from 'mysql2/promise'
 * import { mysqlStore } from 'watchword/store/mysql'
 *
 * const pool = mysql.createPool({ uri: 'mysql://app@db.example/app' })
 * const store = mysqlStore(pool)
 * console.log(store.migrationSql())
 * ```
 */
export function mysqlStore(pool: MysqlPool, options: MysqlStoreOptions = {}): SqlStore {
  checkOptions(options, ['prefix'])
  if (typeof pool?.getConnection !== 'function' || typeof pool.execute !== 'function') {
    throw new WatchwordError('ERR_INVALID_OPTION', 'pool: expected a pool of mysql2/promise')
  }
  return sqlStore(engineOf(pool, checkedPrefix(options.prefix)))
}

function engineOf(pool: MysqlPool, prefix: string): Engine {
  const transact = <T>(locks: Locks, steps: () => Steps<T>) =>
    withConnection(pool, async (connection) => {
      // For the next transaction alone. Each read then sees what was committed before it, and so all that those did
      // whom a lock has waited for; and no lock of a gap holds up the inserts of others.
      await ask(connection, READ_COMMITTED)
      await connection.beginTransaction()
      for (const lock of locksOf(prefix, locks)) {
        const { rows } = await ask(connection, lock)
        if (rows.length === 0) throw new Error(`a row of ${prefix}locks is missing`)
      }
      const result = await awaitSteps(steps(), (statement) => ask(connection, statement))
      await connection.commit()
      return result
    })
  const dialect = mysqlDialect(prefix)
  const run = (statement: Sql) => withRetries(() => ask(pool, statement), isUndone)
  const transaction: Engine['transaction'] = (locks, steps) =>
    withRetries(() => transact(locks, steps), isUndone)
  return {
    name: 'mysql',
    dialect,
    run,
    transaction,
    async insertTokens(records) {
      const [first, ...more] = records
      // One round trip for one record. It inserts nothing where the record is there, and where the lock is not.
      if (first !== undefined && more.length === 0)
        if ((await run(guardedInsert(prefix, first))).changes > 0) return
      await transaction({ making: 'shared' }, () => insertTokens(dialect, records))
    },
    migrate: (steps) => withConnection(pool, (connection) => migrate(connection, prefix, steps)),
  }
}

function locksOf(prefix: string, { making, holder }: Locks): Sql[] {
  return [
    ...(making === undefined ? [] : [lockMaking(prefix, making)]),
    ...(holder === undefined ? [] : [lockHolder(prefix, holder)]),
  ]
}

// Statements that create tables commit by themselves, so a lock by name spans them. It ends with its connection.
async function migrate(
  connection: MysqlPoolConnection,
  prefix: string,
  steps: () => Steps<void>,
): Promise<void> {
  const name = sql`CONCAT('watchword.', SHA1(CONCAT(DATABASE(), '.', ${prefix})))`
  const taken = await ask(connection, once(sql`SELECT GET_LOCK(${name}, 60) AS taken`))
  if (Number(taken.rows[0]?.['taken']) !== 1)
    throw new Error('another process has been migrating for a minute')
  await awaitSteps(steps(), (statement) => ask(connection, statement))
  await ask(connection, once(sql`SELECT RELEASE_LOCK(${name}) AS released`))
}

/** Lends a connection. One on which something failed is destroyed: nobody else gets what is left of it. */
async function withConnection<T>(
  pool: MysqlPool,
  work: (connection: MysqlPoolConnection) => Promise<T>,
): Promise<T> {
  const connection = await pool.getConnection()
  try {
    const result = await work(connection)
    connection.release()
    return result
  } catch (error) {
    connection.destroy()
    throw error
  }
}

async function ask(connection: MysqlConnection, statement: Sql): Promise<Answer> {
  const query = { sql: statement.text, ...SHAPE }
  const values = statement.values.map((value) => toBound(value as SqlScalar))
  // Only numbers and bytes, which are written in digits alone: nothing in them can end a literal.
  const [result] = statement.once
    ? await connection.query(query, values)
    : await connection.execute(query, values)
  if (Array.isArray(result)) return { rows: result as Row[], changes: 0 }
  return { rows: [], changes: (result as { readonly affectedRows: number }).affectedRows }
}

const READ_COMMITTED = once(sql`SET TRANSACTION ISOLATION LEVEL READ COMMITTED`)

const SHAPE = { rowsAsArray: false, nestTables: false, typeCast: true } as const

function toBound(value: SqlScalar): MysqlValue {
  return typeof value === 'string' ? Buffer.from(value) : value
}

// A deadlock, and a row that changed under the snapshot of its transaction. Not a lock that was waited for in vain: that
// took 50 seconds by default, and nobody waits for the second attempt, which would keep a connection for as long again.
const UNDONE: ReadonlySet<unknown> = new Set([1213, 1020])

function isUndone(error: unknown): boolean {
  return UNDONE.has((error as { readonly errno?: unknown } | null)?.errno)
}
