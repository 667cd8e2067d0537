/**
 * The feeds under measurement: each as an adapter, and as what its broker does by itself with a message of the same size.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import Database from 'libsql'
import pg from 'pg'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { natsFeed } from '../../src/feed/nats.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { redisFeed } from '../../src/feed/redis.js'
import { type SqliteDatabase, sqliteFeed } from '../../src/feed/sqlite.js'
import { serverUrl } from '../../test/contract/servers.js'

/** One connection of a process to where a log is. */
export interface Place {
  readonly feed: RevocationFeed
  /** Makes what the feed and the raw messages need; once, by the parent. */
  prepare(): Promise<void>
  /** Removes everything; by the parent, when the others have gone. */
  drop(): Promise<void>
  close(): Promise<void>
}

/** A broker that delivers each message to all processes. */
export interface Broker extends Place {
  /** Sends a raw message of its number. */
  publish(number: number): Promise<void>
  /** Calls back at each raw message, until the process ends. */
  subscribe(heard: (number: number) => void): Promise<void>
}

/** As long as a sealed event of one entry. */
const PAYLOAD = Buffer.alloc(196, 'x')

const message = (number: number): Buffer => Buffer.concat([Buffer.from(`${number} `), PAYLOAD])
const numberOf = (bytes: Uint8Array): number => Number.parseInt(Buffer.from(bytes).toString(), 10)

/** Opens a broker. Returns `undefined` when its server is not available. */
export const BROKERS: Readonly<Record<string, (name: string) => Promise<Broker | undefined>>> = {
  redis: openRedis,
  nats: openNats,
  postgres: openPostgres,
}

/** The brokers, and the log that is a file. */
export const PLACES: Readonly<Record<string, (name: string) => Promise<Place | undefined>>> = {
  ...BROKERS,
  sqlite: openSqlite,
}

async function openRedis(name: string): Promise<Broker | undefined> {
  const url = await serverUrl('redis')
  if (url === undefined) return undefined
  const client = new Redis(url, { maxRetriesPerRequest: 1 })
  const raw = `${name}:raw`
  return {
    feed: redisFeed(client, { prefix: name }),
    prepare: async () => {},
    publish: async (number) => {
      await client.xadd(raw, '*', 'e', message(number))
    },
    subscribe: async (heard) => {
      const reader = client.duplicate()
      void (async () => {
        for (let last = '$'; ; ) {
          const reply = await reader.xreadBuffer('BLOCK', 0, 'STREAMS', raw, last)
          for (const [, entries] of reply ?? []) {
            for (const [id, fields] of entries) {
              last = id.toString()
              heard(numberOf(fields[1] as Buffer))
            }
          }
        }
      })().catch(() => undefined)
    },
    drop: async () => {
      const keys = [...(await client.keys(`*${name}*`))]
      if (keys.length > 0) await client.del(keys)
    },
    close: async () => client.disconnect(),
  }
}

async function openNats(name: string): Promise<Broker | undefined> {
  const url = await serverUrl('nats')
  if (url === undefined) return undefined
  const connection = await connect({ servers: url })
  const js = jetstream(connection)
  const manager = await jetstreamManager(connection)
  const raw = `${name}_raw`
  return {
    feed: natsFeed(js, { prefix: name }),
    prepare: async () => {
      await manager.streams.add({ name: raw, subjects: [raw] })
    },
    publish: async (number) => {
      await js.publish(raw, message(number))
    },
    subscribe: async (heard) => {
      const consumer = await js.consumers.get(raw, { deliver_policy: 'new' } as never)
      await consumer.consume({ callback: (each) => heard(numberOf(each.data)) })
    },
    drop: async () => {
      for await (const { config } of manager.streams.list())
        if (config.name.startsWith(name)) await manager.streams.delete(config.name)
    },
    close: () => connection.close(),
  }
}

async function openPostgres(name: string): Promise<Broker | undefined> {
  const url = await serverUrl('postgres')
  if (url === undefined) return undefined
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on('error', () => {})
  const feed = postgresFeed(pool, { schema: name })
  return {
    feed,
    prepare: async () => {
      await feed.migrate()
      await pool.query(`CREATE TABLE ${name}.raw (id bigint PRIMARY KEY, bytes bytea)`)
    },
    publish: async (number) => {
      await pool.query({
        name: 'raw',
        text: `WITH i AS (INSERT INTO ${name}.raw VALUES ($1, $2) RETURNING id) SELECT pg_notify('${name}', id::text) FROM i`,
        values: [number, message(number)],
      })
    },
    subscribe: async (heard) => {
      const listener = new pg.Client({ connectionString: url })
      await listener.connect()
      const text = `SELECT bytes FROM ${name}.raw WHERE id = $1`
      listener.on('notification', ({ payload }) => {
        void listener
          .query({ name: 'row', text, values: [payload] })
          .then(({ rows }) => heard(numberOf((rows[0] as { bytes: Buffer }).bytes)))
          .catch(() => undefined)
      })
      await listener.query(`LISTEN ${name}`)
    },
    drop: async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`)
    },
    close: () => pool.end(),
  }
}

async function openSqlite(name: string): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), `watchword-bench-${name}-`))
  const database = new Database(join(folder, 'feed.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  const feed = sqliteFeed(database as unknown as SqliteDatabase)
  return {
    feed,
    prepare: () => feed.migrate(),
    drop: async () => {},
    close: async () => {
      database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
