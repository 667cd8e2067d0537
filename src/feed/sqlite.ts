/**
 * A feed in SQLite, over the caller's own database handle: `better-sqlite3`, `libsql` or `node:sqlite`.
 *
 * @module
 */

import { checkedName, checkedPrefix } from '../clients/sql/names.js'
import { type SqliteDatabase, sqliteClient } from '../clients/sql/sqlite-client.js'
import { sql } from '../clients/sql/statement.js'
import { adapterOptions } from '../lib/adapter-options.js'
import type { Durability } from './feed.js'
import { Incidents } from './incidents.js'
import { type SqlFeed, sqlFeed } from './sql/feed.js'
import { appendSteps } from './sql/log.js'
import { sqliteFeedDialect } from './sql/sqlite-dialect.js'

export type { SqliteDatabase, SqliteStatement } from '../clients/sql/sqlite-client.js'
export type { SqlFeed } from './sql/feed.js'

/** The options of {@link sqliteFeed}. */
export interface SqliteFeedOptions {
  /**
   * Prefix of every table name: 1 to 31 of `a-z`, `0-9` and `_`, not starting with a digit. Default: `'watchword_'`.
   */
  readonly prefix?: string
  /** The name of the feed within these tables, with the same syntax as `prefix`. Default: `'main'`. */
  readonly name?: string
}

/**
 * A feed in SQLite, for one machine: other processes receive a revocation at their next poll, within 250 ms. It may
 * share its database and its prefix with a store; each has its own `migrate`. The caller owns the database: the feed
 * never closes it and changes none of its settings. Use a separate handle for the feed, so no other transaction of the
 * program is open on it, and set `PRAGMA journal_mode = WAL`, so readers and the writer do not block one another. If
 * the file is replaced while it is open, the node becomes stale. With `PRAGMA synchronous = FULL` an acknowledged
 * revocation survives a power failure; with another value, `info.durability` is `'process'`, and without a file
 * `'none'`.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import Database from 'libsql'
 * import { sqliteFeed } from 'watchword/feed/sqlite'
 *
 * const database = new Database(':memory:', { timeout: 1000 })
 * database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
 * const feed = sqliteFeed(database)
 * await feed.migrate()
 * ```
 */
export function sqliteFeed(
  database: SqliteDatabase,
  ...given: readonly [options?: SqliteFeedOptions]
): SqlFeed {
  const options = adapterOptions(given, ['prefix', 'name'])
  const incidents = new Incidents()
  const { run, transaction } = sqliteClient(database, {
    code: 'ERR_FEED_UNAVAILABLE',
    onReplaced: () => incidents.tell('replaced'),
  })
  const dialect = sqliteFeedDialect(checkedPrefix(options.prefix))
  return sqlFeed({
    name: 'sqlite',
    dialect,
    feed: checkedName('name', options.name ?? 'main'),
    run,
    transaction,
    append: (append, signal) => transaction(() => appendSteps(dialect, append), signal),
    migrate: (steps) => transaction(steps),
    incidents,
    splits: false,
    durability: async () => {
      const { rows } = await run(DURABILITY)
      return durabilityOf(Number(rows[0]?.['synchronous']), rows[0]?.['file'])
    },
  })
}

const DURABILITY = sql`SELECT synchronous, file FROM pragma_synchronous, pragma_database_list
  WHERE name = 'main'`

const FULL = 2

// With NORMAL, a power failure may undo a commit. A database without a file is in memory.
function durabilityOf(synchronous: number, file: unknown): Durability {
  if (file === '' || file === null) return 'none'
  return synchronous >= FULL ? 'fsync' : 'process'
}
