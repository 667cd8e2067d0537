/**
 * A store in MySQL 8 or MariaDB, over the caller's own pool of the package `mysql2/promise`.
 *
 * @module
 */

import {
  ask,
  checkAutocommit,
  checkedPool,
  isUndone,
  type MysqlCallbackPool,
  type MysqlPool,
  migrating,
  READ_COMMITTED,
  withConnection,
} from '../clients/sql/mysql-client.js'
import { checkedPrefix } from '../clients/sql/names.js'
import { withRetries } from '../clients/sql/retry.js'
import { mysqlIdentity } from '../clients/sql/server.js'
import { awaitSteps, type Sql, type Steps } from '../clients/sql/statement.js'
import { limited, STATEMENT_MS, TRANSACTION_MS } from '../clients/sql/with-connection.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { takeNumber } from './sql/arrivals.js'
import type { Engine, Locks } from './sql/dialect.js'
import { guardedInsert, lockHolder, lockMaking, mysqlDialect } from './sql/mysql-dialect.js'
import { type SqlStore, sqlStore } from './sql/store.js'
import { insertTokens } from './sql/tokens.js'

export type {
  MysqlCallbackPool,
  MysqlConnection,
  MysqlPool,
  MysqlPoolConnection,
  MysqlQuery,
  MysqlValue,
} from '../clients/sql/mysql-client.js'
export type { SqlStore } from './sql/store.js'

/** The options of {@link mysqlStore}. */
export interface MysqlStoreOptions {
  /**
   * Prefix of every table name: 1 to 31 of `a-z`, `0-9` and `_`, not starting with a digit. Default: `'watchword_'`.
   */
  readonly prefix?: string
}

/**
 * A store in MySQL 8 or MariaDB 10.6 and later, on InnoDB. The caller owns the pool: the store never ends it. The pool
 * must connect to a primary and select a database for the tables, with autocommit on (the default) and without a
 * statement-based binary log: transactions are READ COMMITTED.
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
export function mysqlStore(
  pool: MysqlPool | MysqlCallbackPool,
  ...given: readonly [options?: MysqlStoreOptions]
): SqlStore {
  const options = adapterOptions(given, ['prefix'])
  const checked = checkedPool(pool)
  const store = sqlStore(engineOf(checked, checkedPrefix(options.prefix)))
  return {
    ...store,
    open: async () => {
      await store.open()
      await checkAutocommit(checked)
    },
  }
}

function engineOf(pool: MysqlPool, prefix: string): Engine {
  const dialect = mysqlDialect(prefix)
  const transact = <T>(locks: Locks, steps: () => Steps<T>, signal: AbortSignal) =>
    withConnection(
      pool,
      async (connection) => {
        // For the next transaction only. Each statement then sees everything committed before it, including by the
        // transactions that a lock has waited for, and takes no gap locks that would block inserts.
        await ask(connection, READ_COMMITTED)
        await connection.beginTransaction()
        for (const lock of locksOf(prefix, locks)) {
          const { rows } = await ask(connection, lock)
          if (rows.length === 0) throw new Error(`a row of ${prefix}locks is missing`)
        }
        if (locks.stripe !== undefined)
          await ask(connection, takeNumber(dialect.tables.arrivals, locks.stripe))
        const result = await awaitSteps(steps(), (statement) => ask(connection, statement))
        await connection.commit()
        return result
      },
      signal,
    )
  const run = (statement: Sql) =>
    withRetries(
      () =>
        limited(STATEMENT_MS, (signal) =>
          withConnection(pool, (connection) => ask(connection, statement), signal),
        ),
      isUndone,
    )
  const transaction: Engine['transaction'] = (locks, steps) =>
    limited(TRANSACTION_MS, (signal) => withRetries(() => transact(locks, steps, signal), isUndone))
  return {
    name: 'mysql',
    dialect,
    run,
    transaction,
    async insertTokens(records) {
      const [first, ...more] = records
      // One round trip for one record. Inserts nothing if the record exists or the lock row is missing.
      if (first !== undefined && more.length === 0)
        if ((await run(guardedInsert(prefix, first))).changes > 0) return
      await transaction({ making: 'shared' }, () => insertTokens(dialect, records))
    },
    identity: () => mysqlIdentity(run),
    migrate: (steps) => withConnection(pool, (connection) => migrating(connection, prefix, steps)),
  }
}

function locksOf(prefix: string, { making, holder }: Locks): Sql[] {
  return [
    ...(making === undefined ? [] : [lockMaking(prefix, making)]),
    ...(holder === undefined ? [] : [lockHolder(prefix, holder)]),
  ]
}
