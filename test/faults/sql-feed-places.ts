/**
 * The databases of the SQL feeds in the fault tests, and their helpers.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { CallOptions, Position, SealedEvent, SealedHead } from '../../src/feed/feed.js'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { type SqlFeed, type SqliteDatabase, sqliteFeed } from '../../src/feed/sqlite.js'
import { serverUrl, uniqueName } from '../contract/servers.js'

/** A separate log in one database, and access to it. */
export interface Place {
  readonly feed: SqlFeed
  /** A feed instance as another process would open it. */
  readonly twin: SqlFeed
  /** The prefix of its table names in SQL. */
  readonly prefix: string
  /** Runs SQL outside of the feed. */
  exec(sql: string): Promise<unknown>
  /** The number in the column `n` of the only row that the SQL returns. */
  count(sql: string): Promise<number>
  /** Bytes as an SQL literal. */
  readonly junk: string
  /** Leaves a transaction open that wrote to an unrelated table; resolves with a function that ends it. */
  holdTransaction(): Promise<() => Promise<void>>
  end(): Promise<void>
}

type Open = (url: string) => Promise<Place>

const openPostgres: Open = async (url) => {
  const schema = uniqueName()
  const pools = [1, 2].map(() => new pg.Pool({ connectionString: url, max: 8 }))
  const [pool, twinPool] = pools as [pg.Pool, pg.Pool]
  const feed = postgresFeed(pool, { schema })
  await feed.migrate()
  await pool.query(`CREATE TABLE "${schema}".foreign_rows (id int)`)
  return {
    feed,
    twin: postgresFeed(twinPool, { schema }),
    prefix: `"${schema}".watchword_feed_`,
    exec: (sql) => pool.query(sql),
    count: async (sql) => Number((await pool.query(sql)).rows[0].n),
    junk: "'\\x6a756e6b'",
    async holdTransaction() {
      const client = await pool.connect()
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
      await client.query(`INSERT INTO "${schema}".foreign_rows VALUES (1)`)
      return async () => {
        await client.query('COMMIT')
        client.release()
      }
    },
    async end() {
      await Promise.all([feed.close(), pool.query(`DROP SCHEMA "${schema}" CASCADE`)])
      await Promise.all(pools.map((each) => each.end()))
    },
  }
}

const openMysql: Open = async (url) => {
  const prefix = `${uniqueName()}_`
  const pools = [1, 2].map(() => mysql.createPool({ uri: url, connectionLimit: 8 }))
  const [pool, twinPool] = pools as [mysql.Pool, mysql.Pool]
  const feed = mysqlFeed(pool, { prefix })
  await feed.migrate()
  await pool.query(`CREATE TABLE ${prefix}foreign_rows (id int) ENGINE = InnoDB`)
  return {
    feed,
    twin: mysqlFeed(twinPool, { prefix }),
    prefix: `${prefix}feed_`,
    exec: (sql) => pool.query(sql),
    count: async (sql) => {
      const [rows] = await pool.query<mysql.RowDataPacket[]>(sql)
      return Number(rows[0]?.['n'])
    },
    junk: "X'6a756e6b'",
    async holdTransaction() {
      const connection = await pool.getConnection()
      await connection.beginTransaction()
      await connection.query(`INSERT INTO ${prefix}foreign_rows VALUES (1)`)
      return async () => {
        await connection.commit()
        connection.release()
      }
    },
    async end() {
      const names = ['head', 'log', 'snapshots', 'chunks', 'schema'].map((each) => `feed_${each}`)
      const tables = [...names, 'foreign_rows'].map((name) => prefix + name)
      await pool.query(`DROP TABLE ${tables.join(', ')}`)
      await Promise.all(pools.map((each) => each.end()))
    },
  }
}

const openSqlite: Open = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-feed-'))
  const connect = () => {
    const database = new Libsql(join(folder, 'feed.db'), { timeout: 5000 })
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    return database as unknown as SqliteDatabase & { close(): void }
  }
  const handle = connect()
  const twinHandle = connect()
  const feed = sqliteFeed(handle)
  await feed.migrate()
  return {
    feed,
    twin: sqliteFeed(twinHandle),
    prefix: 'watchword_feed_',
    exec: async (sql) => handle.exec(sql),
    count: async (sql) => (handle.prepare(sql).all()[0] as { readonly n: number }).n,
    junk: "X'6a756e6b'",
    // There is one writer at a time; a reader blocks no other connection.
    async holdTransaction() {
      const reader = connect()
      reader.exec('BEGIN')
      reader.prepare('SELECT COUNT(*) FROM watchword_feed_log').all()
      return async () => {
        reader.exec('COMMIT')
        reader.close()
      }
    },
    async end() {
      handle.close()
      twinHandle.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const urls = { postgres: await serverUrl('postgres'), mysql: await serverUrl('mysql') }

/** The available databases. */
export const PLACES: ReadonlyArray<{ readonly name: string; readonly open: () => Promise<Place> }> =
  [
    { name: 'postgres', url: urls.postgres, open: openPostgres },
    { name: 'mysql', url: urls.mysql, open: openMysql },
    { name: 'sqlite', url: '', open: openSqlite },
  ].flatMap(({ name, url, open }) => (url === undefined ? [] : [{ name, open: () => open(url) }]))

/** Options of a call that is never aborted. */
export const CALL: CallOptions = { signal: new AbortController().signal, deadlineMs: 30_000 }

/** Returns this many random bytes. */
export function noise(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}

/** The head of a new log. */
export function newHead(): SealedHead {
  const epoch = randomBytes(16).toString('base64url')
  return { epoch, seq: 0, link: new Uint8Array(16), floor: 1, beaconAt: 1, bytes: noise(64) }
}

/** Events after a position, and the head that covers them. */
export function following(
  after: Position,
  sizes: readonly number[],
): { readonly events: SealedEvent[]; readonly next: SealedHead } {
  const events = sizes.map((size, index) => ({ seq: after.seq + 1 + index, bytes: noise(size) }))
  const seq = after.seq + events.length
  const next = { epoch: after.epoch, seq, link: noise(16), floor: 1, beaconAt: 2, bytes: noise(64) }
  return { events, next }
}
