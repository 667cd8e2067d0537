/**
 * A feed in PostgreSQL, over the caller's own pool of the package `pg`, or over PGlite.
 *
 * @module
 */

import { checkedName, checkedPrefix } from '../clients/sql/names.js'
import {
  BEGIN,
  isPool,
  type PgliteDatabase,
  type PostgresPool,
  queries,
} from '../clients/sql/postgres-client.js'
import { postgresRunner } from '../clients/sql/postgres-runner.js'
import { postgresIdentity } from '../clients/sql/server.js'
import {
  awaitSteps,
  type Row,
  type Sql,
  type SqlResult,
  type Steps,
  sql,
} from '../clients/sql/statement.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { describeClient } from '../lib/foreign-client.js'
import { invalidOption } from '../lib/invalid.js'
import type { Durability, RevocationFeed } from './feed.js'
import { Incidents } from './incidents.js'
import type { Append, FeedDialect, FeedEngine } from './sql/dialect.js'
import { type SqlFeed, sqlFeed } from './sql/feed.js'
import { appendAtOnce, postgresFeedDialect } from './sql/postgres-dialect.js'
import {
  channelOf,
  hintOf,
  listen,
  noticeOf,
  type PostgresListener,
} from './sql/postgres-listen.js'

export type {
  PgliteDatabase,
  PgliteResult,
  PostgresClient,
  PostgresPool,
  PostgresQuery,
  PostgresResult,
} from '../clients/sql/postgres-client.js'
export type { SqlFeed } from './sql/feed.js'
export type { PostgresListener } from './sql/postgres-listen.js'

/** The used part of a pool of the package `pg`, including the options for one more client. */
export interface PostgresFeedPool extends PostgresPool {
  readonly options?: object
  readonly Client?: new (config: object) => PostgresListener
}

/** The used part of PGlite: PostgreSQL in this process, on one connection. */
export interface PgliteFeedDatabase extends PgliteDatabase {
  listen(channel: string, callback: (payload: string) => void): Promise<() => Promise<void>>
}

/** The options of {@link postgresFeed}. */
export interface PostgresFeedOptions {
  /**
   * Prefix of every table name: 1 to 31 of `a-z`, `0-9` and `_`, not starting with a digit. Default: `'watchword_'`.
   */
  readonly prefix?: string
  /**
   * The schema of the tables, which `migrate` creates if it is missing. Nodes that notify one another must use the same
   * one. Default: the first schema of the search path.
   */
  readonly schema?: string
  /** The name of the feed within these tables, with the same syntax as `prefix`. Default: `'main'`. */
  readonly name?: string
  /**
   * Whether statements are prepared by name, which is about three times as fast. Set to `false` behind a PgBouncer that
   * pools by transaction without support for prepared statements. Default: `true`.
   */
  readonly prepare?: boolean
  /**
   * Creates the client that listens: a new, unconnected client on each call, connected directly to the database and not
   * through a pooler. `false` disables both listening and notifying: nodes then receive a revocation at their next
   * poll, within 250 ms. Use `false` behind a PgBouncer that cannot be bypassed, or if NOTIFY slows down the database,
   * since it serializes commits. Default: a client with the options of the pool.
   */
  readonly listen?: false | (() => PostgresListener)
}

/**
 * A feed in PostgreSQL 12 or later: an append is one statement, and the other nodes are notified. It may share its
 * database, schema and prefix with a store; each has its own `migrate`. The caller owns the pool: the feed never ends
 * it, and opens one more connection to listen.
 *
 * The pool must connect to a primary: replicas are rejected. Give it a listener for `error`, as `pg` requires, and a
 * `connectionTimeoutMillis`: without it, the pool waits for a lost server indefinitely. An acknowledged revocation
 * survives a power failure, unless `synchronous_commit` is off; then `info.durability` is `'process'`.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import pg from 'pg'
 * import { postgresFeed } from 'watchword/feed/postgres'
 *
 * const pool = new pg.Pool({
 *   connectionString: 'postgres://app@db.example/app',
 *   connectionTimeoutMillis: 2000,
 * })
 * pool.on('error', (error) => console.error('an idle connection was lost', error.message))
 * const feed = postgresFeed(pool, { schema: 'auth' })
 * console.log(feed.migrationSql())
 * ```
 */
export function postgresFeed(
  pool: PostgresFeedPool | PgliteFeedDatabase,
  ...given: readonly [options?: PostgresFeedOptions]
): SqlFeed {
  const options = adapterOptions(given, ['prefix', 'schema', 'name', 'prepare', 'listen'])
  const { prepare = true, schema } = options
  if (typeof prepare !== 'boolean') throw invalidOption('prepare', 'expected true or false')
  const prefix = checkedPrefix(options.prefix)
  if (schema !== undefined) checkedName('schema', schema)
  const feed = checkedName('name', options.name ?? 'main')
  const dialect = postgresFeedDialect(prefix, schema)
  const parts = { dialect, feed, channel: channelOf(dialect.tables.log.text, feed) }
  if (isPool(pool)) return sqlFeed(engineOf(pool, parts, prepare, listenerOf(pool, options.listen)))
  if (typeof (pool as Partial<PgliteDatabase> | undefined)?.transaction === 'function')
    return sqlFeed(pgliteEngine(pool, parts, options.listen))
  throw invalidOption('pool', `expected a Pool of pg, or a PGlite, got ${describeClient(pool)}`)
}

type Listen = PostgresFeedOptions['listen']

function listenerOf(pool: PostgresFeedPool, asked: Listen): (() => PostgresListener) | undefined {
  if (asked === false) return undefined
  if (typeof asked === 'function') return asked
  const { Client, options } = pool as PostgresFeedPool & { options?: { password?: unknown } }
  if (asked !== undefined || typeof Client !== 'function' || typeof options !== 'object')
    throw invalidOption('listen', 'expected a function, or false')
  // The pool hides the password when its options are enumerated.
  return () => new Client({ ...options, password: options.password, keepAlive: true })
}

/** The shared parts of both engines. */
interface FeedParts {
  readonly dialect: FeedDialect
  readonly feed: string
  readonly channel: string
}

function engineOf(
  pool: PostgresPool,
  { dialect, feed, channel }: FeedParts,
  prepare: boolean,
  listener: (() => PostgresListener) | undefined,
): FeedEngine {
  const table = dialect.tables.log.text
  const { run, transact, migrate } = postgresRunner({ pool, prepare, table })
  return {
    name: 'postgres',
    dialect,
    feed,
    incidents: new Incidents(),
    run,
    transaction: (steps, signal) => transact(BEGIN, steps, signal),
    append: async (append, signal) => {
      const notice = listener && noticeOf(channel, append)
      return (await run(appendAtOnce(dialect, append, notice), signal)).rows.length > 0
    },
    migrate,
    identity: (signal) => postgresIdentity((statement) => run(statement, signal)),
    durability: async (signal) => durabilityOf(await run(SETTINGS, signal)),
    ...(listener !== undefined && {
      watch: (_, wake, signal) => listen(listener, channel, wake, signal),
    }),
  }
}

const SETTINGS = sql`SELECT current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS commits`

function durabilityOf({ rows }: SqlResult): Durability {
  return rows[0]?.['fsync'] === 'on' && rows[0]['commits'] !== 'off' ? 'fsync' : 'process'
}

/** There is one connection, so transactions exclude each other and need no lock. */
function pgliteEngine(
  database: PgliteFeedDatabase,
  { dialect, feed, channel }: FeedParts,
  asked: Listen,
): FeedEngine {
  if (asked !== undefined && asked !== false)
    throw invalidOption('listen', 'expected false, or nothing, for a PGlite')
  const toQuery = queries(false)
  const ask = async (client: Pick<PgliteDatabase, 'query'>, statement: Sql): Promise<SqlResult> => {
    const { text, values = [] } = toQuery(statement)
    const { rows, affectedRows = 0 } = await client.query(text, values)
    return { rows: rows as Row[], changes: affectedRows }
  }
  const run: FeedEngine['run'] = async (statement, signal) => {
    signal?.throwIfAborted()
    return await ask(database, statement)
  }
  const transact = <T>(steps: () => Steps<T>) =>
    database.transaction((client) => awaitSteps(steps(), (statement) => ask(client, statement)))
  const tell = (append: Append) => (asked === false ? undefined : noticeOf(channel, append))
  return {
    name: 'postgres',
    dialect,
    feed,
    incidents: new Incidents(),
    run,
    transaction: async (steps, signal) => {
      signal.throwIfAborted()
      return await transact(steps)
    },
    append: async (append, signal) =>
      (await run(appendAtOnce(dialect, append, tell(append)), signal)).rows.length > 0,
    migrate: transact,
    identity: (signal) => postgresIdentity((statement) => run(statement, signal)),
    durability: async (signal) => durabilityOf(await run(SETTINGS, signal)),
    ...(asked !== false && { watch: pgliteWatch(database, channel) }),
  }
}

function pgliteWatch(
  database: PgliteFeedDatabase,
  channel: string,
): NonNullable<RevocationFeed['watch']> {
  return async (_, wake, signal) => {
    if (signal.aborted) return
    const stop = await database.listen(channel, (payload) => wake(hintOf(payload)))
    wake()
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await stop()
  }
}
