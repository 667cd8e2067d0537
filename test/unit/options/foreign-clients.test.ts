/** What is said about a client that is passed without its adapter. */
import { PGlite } from '@electric-sql/pglite'
import { jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import Database from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { describe, expect, it } from 'vitest'
import { createWatchword, discardKey, memoryFeed, memoryStore } from 'watchword'
import { postgresFeed } from 'watchword/feed/postgres'
import { redisFeed } from 'watchword/feed/redis'
import { natsWakeups, withWakeups } from 'watchword/feed/wakeups'
import { mysqlStore } from 'watchword/store/mysql'
import { postgresStore } from 'watchword/store/postgres'
import { redisStore } from 'watchword/store/redis'
import { sqliteStore } from 'watchword/store/sqlite'
import { errorOf, newRootKey } from '../../support/fleet.js'

const BASE = {
  issuer: 'acme',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
} as const

const CHANNEL = { publish() {}, async subscribe() {} }

// No client connects: each is only looked at.
const CLIENTS = {
  pg: () => new pg.Pool(),
  mysql2: () => mysql.createPool({}),
  libsql: () => new Database(':memory:'),
  ioredis: () => new Redis({ lazyConnect: true }),
  redis: () => createClient(),
  jetstream: () => jetstream({ options: {} } as unknown as NatsConnection),
} as const
type Client = keyof typeof CLIENTS

describe('a client in place of', () => {
  it.each<[Client, 'store' | 'feed', string]>([
    ['pg', 'store', "postgresStore(pool) of 'watchword/store/postgres', got a client of pg"],
    ['pg', 'feed', "postgresFeed(pool) of 'watchword/feed/postgres', got a client of pg"],
    ['mysql2', 'store', "mysqlStore(pool) of 'watchword/store/mysql', got a client of mysql2"],
    ['mysql2', 'feed', "mysqlFeed(pool) of 'watchword/feed/mysql', got a client of mysql2"],
    ['libsql', 'store', "sqliteStore(database) of 'watchword/store/sqlite', got a SQLite database"],
    ['libsql', 'feed', "sqliteFeed(database) of 'watchword/feed/sqlite', got a SQLite database"],
    ['ioredis', 'store', "redisStore(client) of 'watchword/store/redis', got a Redis client"],
    ['ioredis', 'feed', "redisFeed(client) of 'watchword/feed/redis', got a Redis client"],
    ['redis', 'store', "redisStore(client) of 'watchword/store/redis', got a Redis client"],
    ['redis', 'feed', "redisFeed(client) of 'watchword/feed/redis', got a Redis client"],
    ['jetstream', 'feed', "natsFeed(js) of 'watchword/feed/nats', got a JetStream client"],
  ])('%s in place of a %s names its adapter', async (client, option, text) => {
    const options = { ...BASE, [option]: CLIENTS[client]() }
    expect(await errorOf(createWatchword(options as never))).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: `${option}: expected a ${option}, such as ${text}`,
    })
  })

  it('a PGlite in place of a store or a feed names its adapters', async () => {
    const database = await PGlite.create()
    const messageFor = async (options: object) =>
      (await errorOf(createWatchword({ ...BASE, ...options } as never))).message
    expect(await messageFor({ store: database })).toBe(
      "store: expected a store, such as postgresStore(database) of 'watchword/store/postgres', got a PGlite",
    )
    expect(await messageFor({ feed: database })).toBe(
      "feed: expected a feed, such as postgresFeed(database) of 'watchword/feed/postgres', got a PGlite",
    )
    await database.close()
  })

  it('a store in discardKey names its adapter', async () => {
    const options = { store: CLIENTS.pg(), rootKey: newRootKey(), actor: 'ops' }
    await expect(discardKey('k4.lid.x', options as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining(
        "store: expected a store, such as postgresStore(pool) of 'watchword/store/postgres', got a client of pg",
      ),
    })
  })

  it.each<[Client, string]>([
    ['ioredis', "redisWakeups(client) of 'watchword/feed/wakeups', got a Redis client"],
    ['redis', "redisWakeups(client) of 'watchword/feed/wakeups', got a Redis client"],
  ])('%s in place of a push channel names its channel', (client, text) => {
    expect(() => withWakeups(memoryFeed(), CLIENTS[client]() as never)).toThrow(
      `channel: expected a push channel, such as ${text}`,
    )
    expect(() =>
      withWakeups(CLIENTS[client]() as never, { publish() {}, async subscribe() {} }),
    ).toThrow(
      "feed: expected a feed, such as redisFeed(client) of 'watchword/feed/redis', got a Redis client",
    )
  })
})

describe('an adapter', () => {
  it.each<[string, (client: never) => unknown, Client, string]>([
    ['postgresStore', (client) => postgresStore(client), 'ioredis', 'a Redis client'],
    ['postgresStore', (client) => postgresStore(client), 'redis', 'a Redis client'],
    ['postgresFeed', (client) => postgresFeed(client), 'redis', 'a Redis client'],
    ['mysqlStore', (client) => mysqlStore(client), 'pg', 'a client of pg'],
    ['sqliteStore', (client) => sqliteStore(client), 'mysql2', 'a client of mysql2'],
    ['redisStore', (client) => redisStore(client), 'pg', 'a client of pg'],
    ['redisFeed', (client) => redisFeed(client), 'jetstream', 'a JetStream client'],
  ])('%s names another client that it is given', (_, create, client, name) => {
    expect(() => create(CLIENTS[client]() as never)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(new RegExp(`: expected a .*, got ${name}$`)),
      }),
    )
  })
})

describe('a connection string in place of', () => {
  it.each(['store', 'feed'])('a %s is described by its length', async (option) => {
    const options = { ...BASE, [option]: 'secret-host.example' }
    const { code, message } = await errorOf(createWatchword(options as never))
    expect(code).toBe('ERR_INVALID_OPTION')
    expect(message).toMatch(new RegExp(`^${option}: expected a ${option} such as `))
    expect(message).toMatch(/, got a string of 19 characters$/)
  })

  it('the store of discardKey is described by its length', async () => {
    const options = { store: 'secret-host.example', rootKey: newRootKey(), actor: 'ops' }
    await expect(discardKey('k4.lid.x', options as never)).rejects.toMatchObject({
      message: expect.stringContaining('store: expected a store, got a string of 19 characters'),
    })
  })

  it('a feed or a push channel is described by its length', () => {
    const text = 'secret-host.example' as never
    expect(() => withWakeups(text, CHANNEL)).toThrow(
      'feed: expected a feed, got a string of 19 characters',
    )
    expect(() => withWakeups(memoryFeed(), text)).toThrow(
      'channel: expected a push channel, got a string of 19 characters',
    )
  })

  it('the options of a call or an adapter is described by its length', async () => {
    expect((await errorOf(createWatchword('secret-host.example' as never))).message).toBe(
      'options: expected an object of options, got a string of 19 characters',
    )
    expect(() => natsWakeups({} as never, 'secret-host.example' as never)).toThrow(
      'options: expected an object, got a string of 19 characters',
    )
  })
})

describe('an adapter that also has methods of a client', () => {
  const more = { query() {}, connect() {}, prepare() {}, exec() {}, execute() {} }

  it('is accepted by withWakeups and as a store and a feed if it has all methods', async () => {
    const feed = { ...memoryFeed(), ...more }
    expect(withWakeups(feed, CHANNEL).info.push).toBe(true)
    const options = { ...BASE, rootKey: newRootKey(), store: { ...memoryStore(), ...more }, feed }
    const watchword = await createWatchword(options)
    expect((await watchword.health()).status).toBe('live')
    await watchword.close()
  })

  it('is a push channel although it has drain and close, as a NATS connection has', () => {
    const channel = { ...CHANNEL, async drain() {}, async close() {} }
    expect(withWakeups(memoryFeed(), channel).info.push).toBe(true)
  })

  it('is described by the contract if a property of it is wrong', async () => {
    const store = { ...memoryStore(), ...more, supports: {} }
    const { message } = await errorOf(createWatchword({ ...BASE, store } as never))
    expect(message).toMatch(/^store: expected a store such as memoryStore\(\): an object with open/)
  })
})

describe('a NATS connection', () => {
  it('in place of a push channel names its channel', async () => {
    const connection = await connect({ servers: '127.0.0.1:4222' })
    try {
      expect(() => withWakeups(memoryFeed(), connection as never)).toThrow(
        "channel: expected a push channel, such as natsWakeups(connection) of 'watchword/feed/wakeups', got a NATS connection",
      )
    } finally {
      await connection.close()
    }
  })
})

describe('a store and a feed', () => {
  it('that were exchanged are told apart', async () => {
    const swapped = { ...BASE, store: memoryFeed(), feed: memoryStore() }
    expect((await errorOf(createWatchword(swapped as never))).message).toBe(
      'store: expected a store, got a feed: pass it as `feed`',
    )
    expect(
      (await errorOf(createWatchword({ ...BASE, feed: memoryStore() } as never))).message,
    ).toBe('feed: expected a feed, got a store: pass it as `store`')
  })
})
