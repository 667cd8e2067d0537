/**
 * A store in SQLite, over the caller's own database handle: `better-sqlite3`, `libsql` or `node:sqlite`.
 *
 * @module
 */

import { checkedPrefix } from '../clients/sql/names.js'
import { sqliteIdentity } from '../clients/sql/server.js'
import {
  type SqliteClient,
  type SqliteDatabase,
  sqliteClient,
} from '../clients/sql/sqlite-client.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { numbered } from './sql/arrivals.js'
import type { Engine } from './sql/dialect.js'
import { sqliteDialect } from './sql/sqlite-dialect.js'
import { type SqlStore, sqlStore } from './sql/store.js'

export type { SqliteDatabase, SqliteStatement } from '../clients/sql/sqlite-client.js'
export type { SqlStore } from './sql/store.js'

/** The options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /**
   * Prefix of every table name: 1 to 31 of `a-z`, `0-9` and `_`, not starting with a digit. Default: `'watchword_'`.
   */
  readonly prefix?: string
}

/**
 * A store in SQLite, for one machine. The caller owns the database: the store never closes it and changes none of its
 * settings. Use a separate handle for the store, so no other transaction of the program is open on it, and set
 * `PRAGMA journal_mode = WAL`, so readers and the writer do not block one another. While another process writes, a
 * write is retried for some seconds without blocking other calls. If the file is replaced while it is open, every
 * method rejects with `ERR_STORE_UNAVAILABLE` from then on.
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
export function sqliteStore(
  database: SqliteDatabase,
  ...given: readonly [options?: SqliteStoreOptions]
): SqlStore {
  const options = adapterOptions(given, ['prefix'])
  const client = sqliteClient(database, {
    code: 'ERR_STORE_UNAVAILABLE',
    onReplaced: () => undefined,
  })
  return sqlStore(engineOf(client, checkedPrefix(options.prefix)))
}

function engineOf({ run, transaction }: SqliteClient, prefix: string): Engine {
  const dialect = sqliteDialect(prefix)
  const { arrivals } = dialect.tables
  return {
    name: 'sqlite',
    dialect,
    run: (statement) => run(statement),
    transaction: ({ stripe }, steps) => transaction(() => numbered(arrivals, stripe, steps)),
    identity: () => sqliteIdentity((statement) => run(statement)),
    migrate: (steps) => transaction(steps),
  }
}
