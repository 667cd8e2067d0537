/** How an authority behaves when its database is away, slow, read-only, full, or holds rows that do not parse. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import Libsql from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { createWatchword, type Watchword } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import type { Store } from 'watchword/store'
import { mysqlStore } from '../../src/store/mysql.js'
import { postgresStore } from '../../src/store/postgres.js'
import { redisStore } from '../../src/store/redis.js'
import { type SqliteDatabase, sqliteStore } from '../../src/store/sqlite.js'
import { serverUrl, uniqueName } from '../contract/servers.js'
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js'

await ready
const input = { policy: 'job', subject: 'svc', actor: 'ops' }
const TIMEOUT_MS = 500

function authority(store: Store): Promise<Watchword> {
  return createWatchword({
    issuer: 'https://auth.example',
    audience: 'api',
    rootKey: exportKey(generateKey()),
    store,
    timeout: TIMEOUT_MS,
    policies: { job: { ttl: '1h', scopes: [] } },
  })
}

interface Remote {
  readonly name: 'postgres' | 'mysql' | 'redis'
  /** Creates a store whose traffic goes through the proxy. */
  readonly open: (url: URL) => Promise<{ store: Store; end: () => Promise<void> }>
}

const REMOTES: readonly Remote[] = [
  {
    name: 'postgres',
    open: async (url) => {
      const schema = uniqueName()
      const pool = new pg.Pool({ connectionString: url.href, max: 4 })
      pool.on('error', () => {})
      await pool.query(`CREATE SCHEMA "${schema}"`)
      const store = postgresStore(pool, { schema })
      await store.migrate()
      return {
        store,
        end: async () => {
          await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
          await pool.end()
        },
      }
    },
  },
  {
    name: 'mysql',
    open: async (url) => {
      const prefix = `${uniqueName()}_`
      const pool = mysql.createPool({ uri: url.href, connectionLimit: 4 })
      const store = mysqlStore(pool, { prefix })
      await store.migrate()
      return {
        store,
        end: async () => {
          const [rows] = await pool.query<mysql.RowDataPacket[]>('SHOW TABLES')
          const names = rows.map((row) => String(Object.values(row)[0]))
          for (const name of names.filter((each) => each.startsWith(prefix))) {
            await pool.query(`DROP TABLE \`${name}\``)
          }
          await pool.end()
        },
      }
    },
  },
  {
    name: 'redis',
    open: async (url) => {
      const prefix = uniqueName()
      const client = new Redis(url.href, { maxRetriesPerRequest: 1 })
      client.on('error', () => {})
      return {
        store: redisStore(client, { prefix }),
        end: async () => {
          const keys = await client.keys(`*${prefix}*`)
          if (keys.length > 0) await client.unlink(...keys)
          client.disconnect()
        },
      }
    },
  },
]

const reachable = new Map<string, string>()
for (const { name } of REMOTES) {
  const url = await serverUrl(name)
  if (url !== undefined) reachable.set(name, url)
}

describe.each(REMOTES.filter(({ name }) => reachable.has(name)))('with $name', ({ name, open }) => {
  const PORTS = { postgres: 5432, mysql: 3306, redis: 6379 }

  async function setUp() {
    const url = new URL(reachable.get(name) as string)
    const proxy = await tcpProxy(url.hostname, Number(url.port || PORTS[name]))
    url.port = String(proxy.port)
    const { store, end } = await open(url)
    const watchword = await authority(store)
    const { token } = await watchword.issue(input)
    return { proxy, watchword, token, end }
  }

  async function tearDown(proxy: TcpProxy, watchword: Watchword, end: () => Promise<void>) {
    proxy.heal()
    await eventually(() => watchword.issue(input))
    await watchword.close()
    await end()
    await proxy.close()
  }

  it.each(['blackHole', 'cut'] as const)(
    'an outage (%s) is reported within the deadline, verification continues, and it ends',
    async (fault) => {
      const { proxy, watchword, token, end } = await setUp()
      proxy[fault]()
      const before = performance.now()
      const error = await watchword.issue(input).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      // Not a limit on speed: the deadline exists to prevent a hang.
      expect(performance.now() - before).toBeLessThan(TIMEOUT_MS * 20)
      expect(watchword.verify(token)).toMatchObject({ ok: true })
      const asked = watchword.authenticate(token, { freshness: 'store' })
      await expect(asked).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      expect(await watchword.authenticate(token)).toMatchObject({ ok: true })
      await tearDown(proxy, watchword, end)
    },
  )

  it('a failed start leaves the store unchanged', async () => {
    const { proxy, watchword, end } = await setUp()
    const url = new URL(reachable.get(name) as string)
    url.port = String(proxy.port)
    const { store, end: endOther } = await open(url)
    proxy.cut()
    await expect(authority(store)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    proxy.heal()
    const second = await eventually(() => authority(store))
    await eventually(() => second.issue(input))
    await second.close()
    await endOther()
    await tearDown(proxy, watchword, end)
  })

  it('a token is revoked on this node while the store is away, and a repeated call completes it', async () => {
    const { proxy, watchword, token, end } = await setUp()
    proxy.cut()
    const failed = watchword.revoke({ token }, { actor: 'ops' })
    await expect(failed).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(watchword.verify(token)).toMatchObject({ code: 'revoked' })
    proxy.heal()
    const { value } = await eventually(() => watchword.revoke({ token }, { actor: 'ops' }))
    const record = await watchword.tokens.get(value)
    expect(record?.revokedBy).toBe('ops')
    await tearDown(proxy, watchword, end)
  })
})

/** Retries until a reply arrives: a pool takes a moment to notice that the server is back. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === 50) throw error
      await sleep(20)
    }
  }
}

describe('with a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-outage-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function setUp(name: string) {
    const path = join(folder, `${name}.db`)
    const database = new Libsql(path) as unknown as SqliteDatabase & { close(): void }
    const store = sqliteStore(database)
    await store.migrate()
    const watchword = await authority(store)
    return { database, watchword }
  }

  it('that is full, a token cannot be issued, and existing ones can be verified', async () => {
    const { database, watchword } = await setUp('full')
    const { token } = await watchword.issue(input)
    const [row] = database.prepare('PRAGMA page_count').all() as { page_count: number }[]
    database.exec(`PRAGMA max_page_count = ${row?.page_count}`)
    const fill = async () => {
      for (let i = 0; i < 1000; i++) await watchword.issue(input)
    }
    const error = await fill().catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringMatching(/^store "sqlite" failed: full \(SQLITE_FULL\); make space/),
    })
    expect((error as Error).cause).toBeInstanceOf(Error)
    expect(watchword.verify(token)).toMatchObject({ ok: true })
    await watchword.close()
    database.close()
  })

  it('that was closed, every verb reports it', async () => {
    const { database, watchword } = await setUp('closed')
    const { token } = await watchword.issue(input)
    database.close()
    const outage = { code: 'ERR_STORE_UNAVAILABLE' }
    await expect(watchword.issue(input)).rejects.toMatchObject(outage)
    await expect(watchword.rotate(token, { actor: 'ops' })).rejects.toMatchObject(outage)
    await expect(watchword.tokens.list()).rejects.toMatchObject(outage)
    await expect(watchword.keys.rotate()).rejects.toMatchObject(outage)
    expect(watchword.verify(token)).toMatchObject({ ok: true })
    await watchword
      .close()
      .catch((error: { code?: string }) => expect(error.code).toBe(outage.code))
  })

  it('whose rows were damaged, a row is rejected by its id and the list continues', async () => {
    const { database, watchword } = await setUp('damaged')
    const { token } = await watchword.issue(input)
    const good = await watchword.issue(input)
    const bad = await watchword.issue(input)
    database.exec(`UPDATE watchword_tokens SET scopes = 'no json' WHERE id = '${bad.id}'`)
    const page = await watchword.tokens.list()
    expect(page.corrupt).toEqual([bad.id])
    expect(page.items.map(({ id }) => id)).toContain(good.id)
    const refused = { code: 'ERR_STORE_CORRUPT', detail: `token ${bad.id}` }
    await expect(watchword.tokens.get(bad.id)).rejects.toMatchObject(refused)
    await expect(watchword.rotate(bad.token, { actor: 'ops' })).rejects.toMatchObject(refused)
    expect(watchword.verify(token)).toMatchObject({ ok: true })
    await watchword.close()
    database.close()
  })
})
