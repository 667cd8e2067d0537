/** What is said about a client that is passed without its adapter. */
import { PGlite } from '@electric-sql/pglite'
import { jetstream } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import Database from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { describe, expect, it } from 'vitest'
import { createWatchword, discardKey, memoryFeed, memoryStore } from 'watchword'
import { withWakeups } from 'watchword/feed/wakeups'
import { errorOf, newRootKey } from '../../support/fleet.js'

const BASE = {
  issuer: 'acme',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
} as const

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
