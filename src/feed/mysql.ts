/**
 * A feed in MySQL 8 or MariaDB, over the caller's own pool of the package `mysql2/promise`.
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
import { checkedName, checkedPrefix } from '../clients/sql/names.js'
import { withRetries } from '../clients/sql/retry.js'
import { mysqlIdentity } from '../clients/sql/server.js'
import { awaitSteps, type SqlResult, type Steps, sql } from '../clients/sql/statement.js'
import { adapterOptions } from '../lib/adapter-options.js'
import type { Durability } from './feed.js'
import { Incidents } from './incidents.js'
import type { FeedEngine } from './sql/dialect.js'
import { type SqlFeed, sqlFeed } from './sql/feed.js'
import { appendSteps } from './sql/log.js'
import { mysqlFeedDialect } from './sql/mysql-dialect.js'

export type {
  MysqlCallbackPool,
  MysqlConnection,
  MysqlPool,
  MysqlPoolConnection,
  MysqlQuery,
  MysqlValue,
} from '../clients/sql/mysql-client.js'
export type { SqlFeed } from './sql/feed.js'

/** The options of {@link mysqlFeed}. */
export interface MysqlFeedOptions {
  /**
   * Prefix of every table name: 1 to 31 of `a-z`, `0-9` and `_`, not starting with a digit. Default: `'watchword_'`.
   */
  readonly prefix?: string
  /** The name of the feed within these tables, with the same syntax as `prefix`. Default: `'main'`. */
  readonly name?: string
}

/**
 * A feed in MySQL 8 or MariaDB 10.6 and later, on InnoDB. Nodes receive a revocation at their next poll, within 250 ms.
 * It may share its database and its prefix with a store; each has its own `migrate`. The caller owns the pool: the feed
 * never ends it.
 *
 * The pool must connect to a primary, because a replica may return an old head, and must leave autocommit on, which is
 * the default. With `innodb_flush_log_at_trx_commit = 1`, the default, an acknowledged revocation survives a power
 * failure; with another value, `info.durability` is `'process'`.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import mysql from 'mysql2/promise'
 * import { mysqlFeed } from 'watchword/feed/mysql'
 *
 * const pool = mysql.createPool({ uri: 'mysql://app@db.example/app' })
 * const feed = mysqlFeed(pool)
 * console.log(feed.migrationSql())
 * ```
 */
export function mysqlFeed(
  pool: MysqlPool | MysqlCallbackPool,
  ...given: readonly [options?: MysqlFeedOptions]
): SqlFeed {
  const options = adapterOptions(given, ['prefix', 'name'])
  const prefix = checkedPrefix(options.prefix)
  const feed = checkedName('name', options.name ?? 'main')
  return sqlFeed(engineOf(checkedPool(pool), prefix, feed))
}

function engineOf(pool: MysqlPool, prefix: string, feed: string): FeedEngine {
  const dialect = mysqlFeedDialect(prefix)
  const run: FeedEngine['run'] = (statement, signal) =>
    withRetries(
      () => withConnection(pool, (connection) => ask(connection, statement), signal),
      isUndone,
    )
  const transaction = <T>(steps: () => Steps<T>, signal: AbortSignal): Promise<T> => {
    const attempt = () =>
      withConnection(
        pool,
        async (connection) => {
          await ask(connection, READ_COMMITTED)
          await connection.beginTransaction()
          const result = await awaitSteps(steps(), (statement) => ask(connection, statement))
          await connection.commit()
          return result
        },
        signal,
      )
    return withRetries(attempt, isUndone)
  }
  return {
    name: 'mysql',
    dialect,
    feed,
    incidents: new Incidents(),
    run,
    transaction,
    append: (append, signal) => transaction(() => appendSteps(dialect, append), signal),
    migrate: (steps) => withConnection(pool, (connection) => migrating(connection, prefix, steps)),
    identity: (signal) => mysqlIdentity((statement) => run(statement, signal)),
    durability: async (signal) => {
      await withConnection(pool, checkAutocommit, signal)
      return durabilityOf(await run(SETTINGS, signal))
    },
  }
}

const SETTINGS = sql`SELECT @@innodb_flush_log_at_trx_commit AS flushing`

function durabilityOf({ rows }: SqlResult): Durability {
  return Number(rows[0]?.['flushing']) === 1 ? 'fsync' : 'process'
}
