/**
 * A feed in PostgreSQL, over the caller's own pool of the package `pg`, or over PGlite.
 *
 * @module
 */

import {
  answerOf,
  BEGIN,
  isPool,
  isUndone,
  type PgliteDatabase,
  type PostgresPool,
  queries,
  withClient,
} from '../clients/sql/postgres-client.js'
import { withRetries } from '../clients/sql/retry.js'
import { postgresIdentity } from '../clients/sql/server.js'
import {
  type Answer,
  awaitSteps,
  type Row,
  type Sql,
  type Steps,
  sql,
} from '../clients/sql/statement.js'
import { WatchwordError } from '../errors.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { describeKind } from '../lib/quote.js'
import { lockKey } from '../store/sql/postgres-dialect.js'
import { checkedName, checkedPrefix } from '../store/sql/schema.js'
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

/** The used part of PGlite: PostgreSQL within the process, on one connection. */
export interface PgliteFeedDatabase extends PgliteDatabase {
  listen(channel: string, callback: (payload: string) => void): Promise<() => Promise<void>>
}

/** The options of {@link postgresFeed}. */
export interface PostgresFeedOptions {
  /** Begins the name of every table: 1 to 31 of `a-z`, `0-9` and `_`, no digit first. Default: `'watchword_'`. */
  readonly prefix?: string
  /**
   * The schema of the tables, which `migrate` creates if it is missing. Nodes that are to push to one another all give
   * the same one. Default: where the search path leads.
   */
  readonly schema?: string
  /** Which feed of these tables, spelt as a prefix is. Default: `'main'`. */
  readonly name?: string
  /**
   * Whether statements are prepared by name, which is about three times as fast. Set to `false` behind a PgBouncer
   * that pools by transaction and does not know of prepared statements. Default: `true`.
   */
  readonly prepare?: boolean
  /**
   * Makes the client that listens: a new one on each call, not yet connected, straight to the database and past any
   * pooler. `false` neither listens nor notifies: nodes then hear of a revocation when they ask next, which is every
   * 250 ms at the latest. For a PgBouncer without a way around it, and for a database that must not be slowed down by
   * NOTIFY, which lets its transactions commit one at a time. Default: a client like those of the pool.
   */
  readonly listen?: false | (() => PostgresListener)
}

/**
 * A feed in PostgreSQL 12 or later: an append is one statement, and the other nodes are notified. It may share its
 * database, its schema and its prefix with a store; each has its own `migrate`. The pool stays the caller's: the
 * feed never ends it, and takes one connection more, to listen. Give the pool a listener for `error`, as `pg` asks for,
 * a `connectionTimeoutMillis`, without which it waits for a lost server indefinitely, and a primary to connect to:
 * replicas are rejected. Unless `synchronous_commit` is off, an acknowledged revocation survives a loss of
 * power; if it is, `info.durability` is `'process'`.
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
  if (typeof prepare !== 'boolean')
    throw new WatchwordError('ERR_INVALID_OPTION', 'prepare: expected true or false')
  const prefix = checkedPrefix(options.prefix)
  if (schema !== undefined) checkedName('schema', schema)
  const feed = checkedName('name', options.name ?? 'main')
  const dialect = postgresFeedDialect(prefix, schema)
  const parts = { dialect, feed, channel: channelOf(dialect.tables.log.text, feed) }
  if (isPool(pool)) return sqlFeed(engineOf(pool, parts, prepare, listenerOf(pool, options.listen)))
  if (typeof (pool as Partial<PgliteDatabase> | undefined)?.transaction === 'function')
    return sqlFeed(pgliteEngine(pool, parts, options.listen))
  throw new WatchwordError(
    'ERR_INVALID_OPTION',
    `pool: expected a Pool of pg, or a PGlite, got ${describeKind(pool)}`,
  )
}

type Listen = PostgresFeedOptions['listen']

function listenerOf(pool: PostgresFeedPool, asked: Listen): (() => PostgresListener) | undefined {
  if (asked === false) return undefined
  if (typeof asked === 'function') return asked
  const { Client, options } = pool as PostgresFeedPool & { options?: { password?: unknown } }
  if (asked !== undefined || typeof Client !== 'function' || typeof options !== 'object')
    throw new WatchwordError('ERR_INVALID_OPTION', 'listen: expected a function, or false')
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
  const toQuery = queries(prepare)
  const run: FeedEngine['run'] = (statement, signal) =>
    withRetries(
      (attempt) =>
        withClient(
          pool,
          async (client) => answerOf(await client.query(toQuery(statement, attempt))),
          signal,
        ),
      isUndone,
    )
  const transact = <T>(first: string, steps: () => Steps<T>, signal?: AbortSignal) =>
    withRetries(
      (attempt) =>
        withClient(
          pool,
          async (client) => {
            await client.query({ text: first })
            const result = await awaitSteps(steps(), async (statement) =>
              answerOf(await client.query(toQuery(statement, attempt))),
            )
            await client.query({ text: 'COMMIT' })
            return result
          },
          signal,
        ),
      isUndone,
    )
  const migrating = `${BEGIN}; SELECT pg_advisory_xact_lock(${lockKey('migrate', dialect.tables.log.text)})`
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
    migrate: (steps) => transact(migrating, steps),
    identity: (signal) => postgresIdentity((statement) => run(statement, signal)),
    durability: async (signal) => durabilityOf(await run(SETTINGS, signal)),
    ...(listener !== undefined && {
      watch: (_, wake, signal) => listen(listener, channel, wake, signal),
    }),
  }
}

const SETTINGS = sql`SELECT current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS commits`

function durabilityOf({ rows }: Answer): Durability {
  return rows[0]?.['fsync'] === 'on' && rows[0]['commits'] !== 'off' ? 'fsync' : 'process'
}

/** One connection, so a transaction excludes every other, and there is nothing to lock. */
function pgliteEngine(
  database: PgliteFeedDatabase,
  { dialect, feed, channel }: FeedParts,
  asked: Listen,
): FeedEngine {
  if (asked !== undefined && asked !== false)
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      'listen: expected false, or nothing, for a PGlite',
    )
  const toQuery = queries(false)
  const ask = async (client: Pick<PgliteDatabase, 'query'>, statement: Sql): Promise<Answer> => {
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
