/** The reasons that `health()` gives for a failing adapter: each is caused on a real server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import Database from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createWatchword, type Health, memoryFeed, type Watchword } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import type { Store } from 'watchword/store'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { natsFeed } from '../../src/feed/nats.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { redisFeed } from '../../src/feed/redis.js'
import { mysqlStore } from '../../src/store/mysql.js'
import { postgresStore } from '../../src/store/postgres.js'
import { redisStore } from '../../src/store/redis.js'
import { sqliteStore } from '../../src/store/sqlite.js'
import { newRootKey } from '../support/fleet.js'
import { hasNatsServer, ownNatsServer } from './nats-server.js'
import { hasRedisServer, ownServer } from './redis-server.js'
import { serverUrl, uniqueName } from './servers.js'

const started: Watchword[] = []
const clean: (() => unknown)[] = []
afterEach(async () => {
  await Promise.allSettled(started.splice(0).map((watchword) => watchword.close()))
  for (const end of clean.splice(0).reverse()) await end()
})

interface Parts {
  readonly store: Store
  readonly feed?: RevocationFeed
  readonly onStart?: 'wait' | 'reject'
}

async function start(parts: Parts): Promise<Watchword> {
  const watchword = (await createWatchword({
    issuer: 'test',
    audience: 'api',
    policies: { job: { ttl: '1h', scopes: ['a'] } },
    rootKey: newRootKey(),
    maxStaleness: '1s',
    timeout: '5s',
    feed: memoryFeed(),
    ...parts,
  })) as Watchword
  started.push(watchword)
  return watchword
}

const issue = (watchword: Watchword) =>
  watchword.issue({ policy: 'job', subject: 'svc', actor: 'test' })

type Failing = 'feedFailure' | 'storeFailure'

/** The adapter's entry in `health()` as soon as it shows a failure; calls `work` until then. */
async function failure(watchword: Watchword, of: Failing, work?: () => Promise<unknown>) {
  let shown: Health[Failing] = null
  for (let left = 300; shown === null && left > 0; left--) {
    await work?.().catch(() => undefined)
    shown = watchword.health()[of]
    await sleep(100)
  }
  return shown
}

describe('SQLite', () => {
  it('a store without a free page is full, and reported as such until a write succeeds', async () => {
    const database = new Database(':memory:')
    clean.push(() => database.close())
    const store = sqliteStore(database)
    await store.migrate()
    const watchword = await start({ store })
    await issue(watchword)
    const { page_count: pages } = database.prepare('PRAGMA page_count').all()[0] as {
      page_count: number
    }
    database.exec(`PRAGMA max_page_count = ${pages}`)
    const shown = await failure(watchword, 'storeFailure', async () => {
      for (let i = 0; i < 50; i++) await issue(watchword)
    })
    expect(shown?.reason).toBe('full')
    await watchword.tokens.list({ limit: 1 })
    expect(watchword.health().storeFailure?.reason).toBe('full')
    database.exec('PRAGMA max_page_count = 100000')
    await issue(watchword)
    expect(watchword.health().storeFailure).toBeNull()
  })

  it('a store on a read-only file is read-only', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'watchword-reasons-'))
    clean.push(() => rmSync(folder, { recursive: true }))
    const database = new Database(join(folder, 'tokens.db'))
    clean.push(() => database.close())
    const store = sqliteStore(database)
    await store.migrate()
    const watchword = await start({ store })
    database.exec('PRAGMA query_only = ON')
    const shown = await failure(watchword, 'storeFailure', () => issue(watchword))
    expect(shown?.reason).toBe('read_only')
  })
})

const postgres = await serverUrl('postgres')
describe.skipIf(postgres === undefined)('PostgreSQL', () => {
  const schema = uniqueName()
  const role = uniqueName()
  const admin = new pg.Pool({ connectionString: postgres, max: 2 })
  const pools: pg.Pool[] = []
  const poolAs = (user: string, options = '') => {
    const target = new URL(postgres ?? 'postgres://localhost/test')
    target.username = user
    target.password = 'secret-of-the-role'
    const pool = new pg.Pool({ connectionString: target.href, max: 3, options })
    pool.on('error', () => undefined)
    pools.push(pool)
    return pool
  }
  const setUp = async () => {
    await postgresStore(admin, { schema }).migrate()
    await postgresFeed(admin, { schema, listen: false }).migrate()
    await admin.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`)
    await admin.query(`GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role}`)
  }
  beforeAll(async () => {
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret-of-the-role'`)
  })
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()))
    await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await admin.query(`DROP OWNED BY ${role}`)
    await admin.query(`DROP ROLE ${role}`)
    await admin.end()
  })
  afterEach(() => admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`))

  it('a role that lost its privileges is denied, for the store and for the feed', async () => {
    await setUp()
    const pool = poolAs(role)
    const feed = postgresFeed(pool, { schema, listen: false })
    const watchword = await start({ store: postgresStore(pool, { schema }), feed })
    await admin.query(`REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM ${role}`)
    const ofFeed = await failure(watchword, 'feedFailure')
    expect(ofFeed?.reason).toBe('denied')
    const ofStore = await failure(watchword, 'storeFailure', () => issue(watchword))
    expect(ofStore?.reason).toBe('denied')
    expect(JSON.stringify([ofFeed, ofStore])).not.toContain('secret-of')
  })

  it('a role that may only read is reported as unable to write, while reads succeed', async () => {
    await setUp()
    const pool = poolAs(role)
    const watchword = await start({ store: postgresStore(pool, { schema }) })
    await admin.query(`REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA ${schema} FROM ${role}`)
    const shown = await failure(watchword, 'storeFailure', () => issue(watchword))
    await watchword.tokens.list({ limit: 1 })
    expect([shown?.reason, watchword.health().storeFailure]).toEqual(['denied', shown])
  })

  it('a database with read-only transactions is read-only', async () => {
    await setUp()
    const pool = poolAs(role)
    const watchword = await start({ store: postgresStore(pool, { schema }) })
    await admin.query(`ALTER ROLE ${role} SET default_transaction_read_only = on`)
    const shown = await failure(watchword, 'storeFailure', async () => {
      // New connections use the setting.
      for (const client of await Promise.all([pool.connect(), pool.connect(), pool.connect()]))
        client.release(true)
      await issue(watchword)
    })
    await admin.query(`ALTER ROLE ${role} RESET default_transaction_read_only`)
    expect(shown?.reason).toBe('read_only')
  })

  it('tables that were dropped are missing', async () => {
    await setUp()
    const pool = poolAs(role)
    const feed = postgresFeed(pool, { schema, listen: false })
    const watchword = await start({ store: postgresStore(pool, { schema }), feed })
    await admin.query(`DROP SCHEMA ${schema} CASCADE`)
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('missing')
  })
})

const maria = await serverUrl('mysql')
describe.skipIf(maria === undefined)('MySQL and MariaDB', () => {
  const database = uniqueName()
  const user = uniqueName()
  const admin = mysql.createPool({ uri: maria ?? 'mysql://localhost/test', connectionLimit: 2 })
  beforeAll(async () => {
    await admin.query(`CREATE DATABASE ${database}`)
    await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'secret-of-the-user'`)
  })
  afterAll(async () => {
    await admin.query(`DROP USER '${user}'@'%'`)
    await admin.query(`DROP DATABASE ${database}`)
    await admin.end()
  })

  it('a user that lost its privileges is denied, for the store and for the feed', async () => {
    const target = new URL(maria ?? 'mysql://localhost/test')
    target.pathname = database
    const owner = mysql.createPool({ uri: target.href, connectionLimit: 2 })
    clean.push(() => owner.end())
    await mysqlStore(owner).migrate()
    await mysqlFeed(owner).migrate()
    const [tables] = await owner.query('SHOW TABLES')
    const names = (tables as object[]).map((row) => `${database}.${Object.values(row)[0]}`)
    // Privileges on a table take effect at once, those on a database with the next connection.
    for (const name of names) await admin.query(`GRANT ALL ON ${name} TO '${user}'@'%'`)
    Object.assign(target, { username: user, password: 'secret-of-the-user', pathname: database })
    const pool = mysql.createPool({ uri: target.href, connectionLimit: 3 })
    clean.push(() => pool.end())
    const [store, feed] = [mysqlStore(pool), mysqlFeed(pool)]
    const watchword = await start({ store, feed })
    for (const name of names) await admin.query(`REVOKE ALL ON ${name} FROM '${user}'@'%'`)
    const ofFeed = await failure(watchword, 'feedFailure')
    const ofStore = await failure(watchword, 'storeFailure', () => issue(watchword))
    expect([ofFeed?.reason, ofStore?.reason]).toEqual(['denied', 'denied'])
    expect(JSON.stringify([ofFeed, ofStore])).not.toContain('secret-of')
  })
})

describe.skipIf(!hasRedisServer())('Redis', () => {
  const setUp = async () => {
    const server = await ownServer()
    clean.push(() => server.remove())
    const admin = new Redis(server.url)
    await admin.call('ACL', ['SETUSER', 'app', 'on', '>secret-of-the-user', '~*', '+@all'])
    const client = new Redis(server.url, {
      username: 'app',
      password: 'secret-of-the-user',
      maxRetriesPerRequest: 1,
      enableOfflineQueue: false,
      lazyConnect: true,
    })
    for (const each of [admin, client]) each.on('error', () => undefined)
    clean.push(() => {
      admin.disconnect()
      client.disconnect()
    })
    await client.connect()
    return { server, admin, client, store: redisStore(client), feed: redisFeed(client) }
  }

  it('a user without permissions is denied', async () => {
    const { admin, store, feed } = await setUp()
    const watchword = await start({ store, feed })
    await admin.call('ACL', ['SETUSER', 'app', 'resetkeys', '-@all', '+ping'])
    const ofFeed = await failure(watchword, 'feedFailure')
    const ofStore = await failure(watchword, 'storeFailure', () => issue(watchword))
    expect([ofFeed?.reason, ofStore?.reason]).toEqual(['denied', 'denied'])
    expect(JSON.stringify([ofFeed, ofStore])).not.toContain('secret-of')
  })

  it('a user that may only read is reported as unable to write the feed', async () => {
    const { admin, store, feed } = await setUp()
    const watchword = await start({ store, feed })
    await admin.call('ACL', ['SETUSER', 'app', '-hset', '-xadd'])
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('denied')
  })

  it('a store without free memory is reported as full while reads succeed', async () => {
    const { admin, store } = await setUp()
    const watchword = await start({ store })
    await admin.call('CONFIG', ['SET', 'maxmemory', '1'])
    const shown = await failure(watchword, 'storeFailure', () => issue(watchword))
    await watchword.tokens.list({ limit: 1 })
    expect([shown?.reason, watchword.health().storeFailure]).toEqual(['full', shown])
  })

  it('a primary that became a replica is read-only', async () => {
    const { server, admin, store, feed } = await setUp()
    const watchword = await start({ store, feed })
    await admin.call('REPLICAOF', ['127.0.0.1', String(server.port === 1 ? 2 : 1)])
    const shown = await failure(watchword, 'feedFailure')
    expect(['read_only', 'unreachable']).toContain(shown?.reason)
    const ofStore = await failure(watchword, 'storeFailure', () => issue(watchword))
    expect(['read_only', 'unreachable']).toContain(ofStore?.reason)
  })

  it('a key of another type is corrupt', async () => {
    const { admin, store, feed } = await setUp()
    const watchword = await start({ store, feed })
    await admin.del('{watchword}:feed')
    await admin.set('{watchword}:feed', 'not a hash')
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('corrupt')
  })

  it('a stopped server is unreachable, and a silent one times out', async () => {
    const { server, store, feed } = await setUp()
    const watchword = await start({ store, feed })
    server.freeze()
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('timeout')
    server.thaw()
    await server.kill()
    for (let left = 300; left > 0; left--) {
      if (watchword.health().feedFailure?.reason === 'unreachable') break
      await sleep(100)
    }
    expect(watchword.health().feedFailure?.reason).toBe('unreachable')
  })
})

describe.skipIf(!hasNatsServer())('NATS', () => {
  const setUp = async (permissions = '') => {
    const folder = mkdtempSync(join(tmpdir(), 'watchword-reasons-'))
    const file = join(folder, 'nats.conf')
    const configure = (app: string) =>
      writeFileSync(
        file,
        `authorization: { users: [
          { user: admin, password: pw },
          { user: app, password: "secret-of-the-user", ${app} } ] }`,
      )
    configure(permissions)
    const server = await ownNatsServer('--config', file)
    clean.push(
      () => server.remove(),
      () => rmSync(folder, { recursive: true }),
    )
    const as = async (user: string, pass: string): Promise<NatsConnection> => {
      const connection = await connect({ servers: server.url, user, pass })
      clean.push(() => connection.close())
      return connection
    }
    const admin = jetstream(await as('admin', 'pw'))
    const feed = natsFeed(jetstream(await as('app', 'secret-of-the-user')))
    const database = new Database(':memory:')
    clean.push(() => database.close())
    const store = sqliteStore(database)
    await store.migrate()
    return { server, admin, feed, store, streams: (await admin.jetstreamManager()).streams }
  }

  it('a sealed stream is read-only', async () => {
    const { store, feed, streams } = await setUp()
    const watchword = await start({ store, feed })
    const { config } = await streams.info('watchword_LOG')
    await streams.update('watchword_LOG', { ...config, sealed: true } as never)
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('read_only')
  })

  it('a stream that reached its limit of bytes is full', async () => {
    const { store, feed, streams } = await setUp()
    const watchword = await start({ store, feed })
    const { config } = await streams.info('watchword_LOG')
    const limits = { max_bytes: 1, discard: 'new' as const }
    await streams.update('watchword_LOG', { ...config, ...limits } as never)
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('full')
  })

  it('a stream that rejects messages of that length is reported as such', async () => {
    const { store, feed, streams } = await setUp()
    const watchword = await start({ store, feed })
    const { config } = await streams.info('watchword_LOG')
    await streams.update('watchword_LOG', { ...config, max_msg_size: 16 } as never)
    expect((await failure(watchword, 'feedFailure'))?.reason).toBe('too_large')
  })

  it('a user that may not publish is denied', async () => {
    const { store, feed } = await setUp('permissions: { publish: { deny: "watchword.log" } }')
    const watchword = await start({ store, feed, onStart: 'reject' })
    const shown = await failure(watchword, 'feedFailure')
    expect(shown?.reason).toBe('denied')
    expect(JSON.stringify(shown)).not.toContain('secret-of')
  })

  it('a deleted stream is missing for a user that may not create it', async () => {
    const deny = 'permissions: { publish: { deny: "$JS.API.STREAM.CREATE.>" } }'
    const { admin, store, feed, streams } = await setUp(deny)
    const own = natsFeed(admin)
    await own.open(new AbortController().signal)
    const watchword = await start({ store, feed })
    await streams.delete('watchword_LOG')
    expect(['denied', 'missing']).toContain((await failure(watchword, 'feedFailure'))?.reason)
  })
})
