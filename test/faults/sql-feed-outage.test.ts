/** A database that no longer answers: calls that were given up do not keep the pool from those after them. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { serverUrl, uniqueName } from '../contract/servers.js'
import { tcpProxy } from '../support/tcp-proxy.js'
import { CALL, following, newHead } from './sql-feed-places.js'

const DATABASES = [
  {
    name: 'postgres' as const,
    port: 5432,
    open(url: string, prefix: string) {
      const pool = new pg.Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 500 })
      pool.on('error', () => {})
      const query = (sql: string): Promise<unknown> => pool.query(sql)
      return { feed: postgresFeed(pool, { prefix, listen: false }), query, end: () => pool.end() }
    },
  },
  {
    name: 'mysql' as const,
    port: 3306,
    open(url: string, prefix: string) {
      const pool = mysql.createPool({ uri: url, connectionLimit: 2, connectTimeout: 500 })
      const query = (sql: string): Promise<unknown> => pool.query(sql)
      return { feed: mysqlFeed(pool, { prefix }), query, end: () => pool.end() }
    },
  },
]

for (const { name, port, open } of DATABASES) {
  const url = await serverUrl(name)
  describe.skipIf(url === undefined)(`a feed in ${name}`, () => {
    it('answers again after more calls hung than its pool has connections', async () => {
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

      for (const table of ['head', 'log', 'snapshots', 'chunks', 'schema'])
        await query(`DROP TABLE ${prefix}feed_${table}`)
      await end()
      await proxy.close()
    })
  })
}

/** Tries until it is answered: connections that were being made when the network came back fail once. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === 50) throw error
    }
  }
}
