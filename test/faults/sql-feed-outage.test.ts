/** A database that no longer replies: abandoned calls do not keep the pool from later ones. */
import type { Socket } from 'node:net'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { serverUrl, uniqueName } from '../contract/servers.js'
import { tcpProxy } from '../support/tcp-proxy.js'
import { CALL, following, newHead } from './sql-feed-places.js'

/** The fields in which the clients keep their sockets. */
type Inner = pg.PoolClient & { readonly connection: { readonly stream: Socket } }

const DATABASES = [
  {
    name: 'postgres' as const,
    port: 5432,
    open(url: string, prefix: string) {
      const pool = new pg.Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 500 })
      pool.on('error', () => {})
      const sockets = new Set<Socket>()
      pool.on('connect', (client) => sockets.add((client as Inner).connection.stream))
      const query = (sql: string): Promise<unknown> => pool.query(sql)
      const feed = postgresFeed(pool, { prefix, listen: false })
      return { feed, sockets, query, end: () => pool.end() }
    },
    async lock(url: string, table: string) {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      await client.query(`BEGIN; SELECT * FROM ${table} FOR UPDATE`)
      return () => client.end()
    },
  },
  {
    name: 'mysql' as const,
    port: 3306,
    open(url: string, prefix: string) {
      const pool = mysql.createPool({ uri: url, connectionLimit: 2, connectTimeout: 500 })
      const sockets = new Set<Socket>()
      pool.pool.on('connection', (connection) =>
        sockets.add((connection as unknown as Inner['connection']).stream),
      )
      const query = (sql: string): Promise<unknown> => pool.query(sql)
      return { feed: mysqlFeed(pool, { prefix }), sockets, query, end: () => pool.end() }
    },
    async lock(url: string, table: string) {
      const connection = await mysql.createConnection(url)
      await connection.query('BEGIN')
      await connection.query(`SELECT * FROM ${table} FOR UPDATE`)
      return () => connection.end()
    },
  },
]

for (const { name, port, open, lock } of DATABASES) {
  const url = await serverUrl(name)
  describe.skipIf(url === undefined)(`a feed in ${name}`, () => {
    it('replies again after more calls hung than its pool has connections', async () => {
      const target = new URL(url ?? '')
      const proxy = await tcpProxy(target.hostname, Number(target.port || port))
      target.port = String(proxy.port)
      const prefix = `${uniqueName()}_`
      const { feed, query, end } = open(target.href, prefix)
      await feed.migrate()
      const head = newHead()
      await feed.append(null, [], head, CALL)

      proxy.blackHole()
      for (let i = 0; i < 3; i++) {
        const { events, next } = following(head, [10])
        const giveUp = new AbortController()
        const options = { signal: giveUp.signal, deadlineMs: 100 }
        const calls = [feed.head(options), feed.append(head, events, next, options)]
        const ended = Promise.allSettled(calls)
        setImmediate(() => giveUp.abort(new Error('given up')))
        for (const { status } of await ended) expect(status).toBe('rejected')
      }
      proxy.heal()
      expect(await eventually(() => feed.head(CALL))).toEqual(head)
      const { events, next } = following(head, [10])
      expect(await feed.append(head, events, next, CALL)).toEqual({ ok: true })
      const aborted = { signal: AbortSignal.abort(new Error('too late')), deadlineMs: 1 }
      await expect(feed.head(aborted)).rejects.toThrow('too late')

      await drop(query, prefix)
      await end()
      await proxy.close()
    })

    it('ends the connection of an append that waits for a lock, but not of a head that does not wait', async () => {
      const prefix = `${uniqueName()}_`
      const { feed, sockets, query, end } = open(url ?? '', prefix)
      await feed.migrate()
      const head = newHead()
      await feed.append(null, [], head, CALL)
      const unlock = await lock(url ?? '', `${prefix}feed_head`)

      const giveUp = new AbortController()
      const { events, next } = following(head, [10])
      const refused = expect(
        feed.append(head, events, next, { signal: giveUp.signal, deadlineMs: 100 }),
      ).rejects.toThrow('given up')
      expect(await feed.head(CALL)).toEqual(head)
      giveUp.abort(new Error('given up'))
      await refused
      expect([...sockets].filter(({ destroyed }) => destroyed)).toHaveLength(1)
      expect(await feed.head(CALL)).toEqual(head)

      await unlock()
      // The server may have completed it without a reply: the log shows whether it did.
      const other = following(head, [20])
      const result = await feed.append(head, other.events, other.next, CALL)
      if (!result.ok) expect(result.head).toEqual(next)
      const written = result.ok ? other.events : events
      expect((await feed.read(head, 10, CALL)).events).toEqual(written)
      await drop(query, prefix)
      await end()
    })
  })
}

/** Retries until a reply arrives: connections that were being opened when the network came back fail once. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === 50) throw error
    }
  }
}

async function drop(query: (sql: string) => Promise<unknown>, prefix: string): Promise<void> {
  for (const table of ['head', 'log', 'snapshots', 'chunks', 'schema'])
    await query(`DROP TABLE ${prefix}feed_${table}`)
}
