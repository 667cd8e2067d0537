/**
 * Connects a node to its feed, with its own client in the configuration that is recommended for outages.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import type { RevocationFeed } from 'watchword/feed'
import { mysqlFeed } from '../../../src/feed/mysql.js'
import { natsFeed } from '../../../src/feed/nats.js'
import { postgresFeed } from '../../../src/feed/postgres.js'
import { type RedisFeedClient, redisFeed } from '../../../src/feed/redis.js'

/** The place of a log, and the port through which this node reaches it. */
export interface Place {
  readonly kind: 'redis' | 'nats' | 'postgres' | 'mysql'
  readonly port: number
  /** A name that no other log on the server has. */
  readonly log: string
  /** The number of the node, which selects the client library if there are several. */
  readonly number: number
}

/** A feed, and a function that closes its client. */
export interface Connection {
  readonly feed: RevocationFeed
  readonly end: () => Promise<void>
}

/** Connects one node. */
export function connect(place: Place): Promise<Connection> {
  return CONNECT[place.kind](place)
}

type Connect = (place: Place) => Promise<Connection>

const RETRY_MS = 50
const SILENCE_MS = 1000

const redis: Connect = async ({ port, log, number }) => {
  const client = number % 2 === 0 ? await ioredis(port) : await nodeRedis(port)
  return {
    feed: redisFeed(client, { prefix: log }),
    end: async () => ('destroy' in client ? client.destroy() : client.disconnect()),
  }
}

async function ioredis(port: number): Promise<Redis> {
  const client = new Redis({
    port,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: () => RETRY_MS,
  })
  client.on('error', () => undefined)
  await inTime(client.connect())
  return client
}

async function nodeRedis(port: number) {
  const client = createClient({
    disableOfflineQueue: true,
    socket: {
      port,
      connectTimeout: SILENCE_MS,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: RETRY_MS,
    },
  })
  client.on('error', () => undefined)
  await inTime(client.connect())
  return client satisfies RedisFeedClient
}

// A node can start while the server is unavailable: the client keeps retrying.
async function inTime(connected: Promise<unknown>): Promise<void> {
  await Promise.race([connected.catch(() => undefined), sleep(SILENCE_MS)])
}

const nats: Connect = async ({ port, log }) => {
  const connection = await connectNats({
    servers: `127.0.0.1:${port}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    reconnectJitter: RETRY_MS,
    pingInterval: SILENCE_MS / 2,
    maxPingOut: 2,
    timeout: SILENCE_MS,
  })
  return { feed: natsFeed(jetstream(connection), { prefix: log }), end: () => connection.close() }
}

const postgres: Connect = async ({ port, log }) => {
  const pool = new pg.Pool({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    max: 4,
    connectionTimeoutMillis: SILENCE_MS,
  })
  pool.on('error', () => undefined)
  return { feed: postgresFeed(pool, { schema: log }), end: () => pool.end() }
}

const maria: Connect = async ({ port, log }) => {
  const pool = mysql.createPool({
    host: '127.0.0.1',
    port,
    user: 'root',
    database: 'test',
    connectionLimit: 4,
    connectTimeout: SILENCE_MS,
  })
  return {
    feed: mysqlFeed(pool, { prefix: `${log}_` }),
    // It fails with the error of a connection that was never established.
    end: () => pool.end().catch(() => undefined),
  }
}

const CONNECT: Readonly<Record<Place['kind'], Connect>> = { redis, nats, postgres, mysql: maria }
