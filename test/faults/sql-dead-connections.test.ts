/** Connections of a pool that died silently: nothing closes them, and new ones work. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { mysqlStore } from '../../src/store/mysql.js'
import { postgresStore } from '../../src/store/postgres.js'
import type { SqlStore } from '../../src/store/sql/store.js'
import { fixtures } from '../../src/testkit/store/fixtures.js'
import { serverUrl, uniqueName } from '../contract/servers.js'
import { tcpProxy } from '../support/tcp-proxy.js'

const urls = { postgres: await serverUrl('postgres'), mysql: await serverUrl('mysql') }
const make = fixtures('dead')
const MAX = 4

describe('a pool whose connections are all dead', () => {
  const ends: (() => Promise<unknown>)[] = []
  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  })

  async function proxied(url: string) {
    const { hostname, port } = new URL(url)
    const proxy = await tcpProxy(hostname, Number(port))
    ends.push(() => proxy.close())
    const through = new URL(url)
    through.hostname = '127.0.0.1'
    through.port = String(proxy.port)
    return { proxy, through: through.href }
  }

  const stores: Record<string, (url: string) => { store: SqlStore; drop: () => Promise<unknown> }> =
    {
      postgres: (connectionString) => {
        const pool = new pg.Pool({ connectionString, max: MAX, connectionTimeoutMillis: 2000 })
        pool.on('error', () => undefined)
        const schema = uniqueName()
        const drop = async () => {
          await pool.end()
          const admin = new pg.Client({ connectionString: urls.postgres })
          await admin.connect()
          await admin.query(`DROP SCHEMA ${schema} CASCADE`)
          await admin.end()
        }
        return { store: postgresStore(pool, { schema }), drop }
      },
      mysql: (uri) => {
        const pool = mysql.createPool({ uri, connectionLimit: MAX })
        const prefix = `${uniqueName()}_`
        const drop = async () => {
          await pool.end().catch(() => undefined)
          const admin = await mysql.createConnection(urls.mysql ?? '')
          const [tables] = await admin.query('SHOW TABLES LIKE ?', [`${prefix}%`])
          for (const table of tables as object[])
            await admin.query(`DROP TABLE ${Object.values(table)[0]}`)
          await admin.end()
        }
        return { store: mysqlStore(pool, { prefix }), drop }
      },
    }

  it.each(['postgres', 'mysql'] as const)('serves a %s store again soon', async (kind) => {
    const url = urls[kind]
    if (url === undefined) return expect(url).toBeUndefined()
    const { proxy, through } = await proxied(url)
    const { store, drop } = stores[kind]?.(through) ?? {}
    if (store === undefined || drop === undefined) throw new Error('no store')
    ends.push(async () => {
      proxy.heal()
      await drop()
    })
    await store.migrate()
    await store.open()
    const token = make.token()
    await store.insertTokens([token])
    await Promise.all(Array.from({ length: MAX }, () => store.getToken(token.id)))
    proxy.halfOpen()
    // As in the core: a call is abandoned after two seconds, and another one is made.
    const found = async () =>
      await Promise.race([
        store.getToken(token.id).then(
          (record) => record?.id === token.id,
          () => false,
        ),
        new Promise<false>((resolve) => setTimeout(() => resolve(false), 2000)),
      ])
    await vi.waitUntil(found, { timeout: 25_000, interval: 50 })
    await store.insertTokens([make.token()])
  })
})
