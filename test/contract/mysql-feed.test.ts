import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { mysqlStore } from '../../src/store/mysql.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { inMysql, migratedTables } from './migrated-tables.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('mysql')

describe.skipIf(url === undefined)('mysqlFeed', () => {
  const database = uniqueName()
  const uri = new URL(url ?? 'mysql://localhost/test')
  uri.pathname = database
  const pool = mysql.createPool({ uri: uri.href, connectionLimit: 8 })
  // Settings that a service may have for its own use.
  const strangePool = mysql.createPool({
    uri: uri.href,
    connectionLimit: 8,
    charset: 'latin1',
    flags: ['-FOUND_ROWS'],
    rowsAsArray: true,
    namedPlaceholders: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  })
  const { signal } = new AbortController()

  beforeAll(async () => {
    const connection = await mysql.createConnection(url ?? '')
    await connection.query(`CREATE DATABASE ${database}`)
    await connection.end()
  })
  afterAll(async () => {
    await pool.query(`DROP DATABASE ${database}`)
    await Promise.all([pool.end(), strangePool.end()])
  })

  const prefixes = new WeakMap<RevocationFeed, string>()
  const feedWith = (client: mysql.Pool, prefix: string) => {
    const feed = mysqlFeed(client, { prefix })
    prefixes.set(feed, prefix)
    return feed
  }

  const tables = migratedTables((prefix) => mysqlFeed(pool, { prefix }).migrate(), inMysql(pool))

  feedContract({
    describe,
    it,
    createFeed: async () => feedWith(pool, await tables.take()),
    createTwin: async (feed) => feedWith(strangePool, prefixes.get(feed) ?? ''),
    plantEvent: async (feed, { seq, bytes }) => {
      const prefix = `${prefixes.get(feed)}feed_`
      await pool.query(
        `INSERT INTO ${prefix}log (feed, epoch, seq, bytes)
          SELECT feed, epoch, ?, ? FROM ${prefix}head`,
        [seq, Buffer.from(bytes)],
      )
    },
    destroyFeed: async (feed) => tables.giveBack(prefixes.get(feed) ?? ''),
  })

  it('shares a database with a store, reports what a commit survives, and leaves the pool open', async () => {
    const prefix = `${uniqueName()}_`
    const feed = mysqlFeed(pool, { prefix })
    await mysqlStore(pool, { prefix }).migrate()
    await expect(feed.open(signal)).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    await Promise.all([feed.migrate(), mysqlFeed(strangePool, { prefix }).migrate()])
    await feed.open(signal)
    const [rows] = await pool.query<mysql.RowDataPacket[]>(
      'SELECT @@innodb_flush_log_at_trx_commit AS flushing',
    )
    const durability = rows[0]?.['flushing'] === 1 ? 'fsync' : 'process'
    expect(feed.info).toMatchObject({
      name: 'mysql',
      push: false,
      durability,
      suggestedPollMs: 250,
      place: expect.stringContaining('feed_head'),
    })
    await feed.close()
    await pool.query('SELECT 1')
  })

  it('rejects connections whose transactions stay open', async () => {
    const connection = await mysql.createConnection(uri.href)
    await connection.query('SET autocommit = 0')
    const frozen = {
      getConnection: async () =>
        Object.assign(Object.create(connection), { release() {}, destroy() {} }),
      execute: connection.execute.bind(connection),
      query: connection.query.bind(connection),
    }
    const prefix = `${uniqueName()}_`
    await mysqlFeed(pool, { prefix }).migrate()
    await expect(mysqlFeed(frozen, { prefix }).open(signal)).rejects.toThrow('autocommit')
    await connection.end()
  })

  it('rejects an invalid pool and an unknown option', () => {
    expect(() => mysqlFeed({} as mysql.Pool)).toThrow('pool: expected a pool of mysql2/promise')
    expect(() => mysqlFeed(pool, { schema: 'x' } as object)).toThrow("unknown option 'schema'")
  })
})
