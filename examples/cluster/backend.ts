/**
 * The storage of the cluster's token records and revocations: PostgreSQL and Redis if both respond, and two SQLite
 * files otherwise.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import Database from 'libsql'
import pg from 'pg'
import type { RevocationFeed } from 'watchword/feed'
import { redisFeed } from 'watchword/feed/redis'
import { sqliteFeed } from 'watchword/feed/sqlite'
import type { Store } from 'watchword/store'
import { postgresStore } from 'watchword/store/postgres'
import { sqliteStore } from 'watchword/store/sqlite'

// The defaults are the servers of a development machine and of CI. A service for production must not have any.
const POSTGRES = process.env['WATCHWORD_TEST_POSTGRES'] ?? 'postgres://postgres@127.0.0.1:5432/test'
const REDIS = process.env['WATCHWORD_TEST_REDIS'] ?? 'redis://127.0.0.1:6379/0'

/** The kind of backend, and the name or the folder of everything that belongs to this run. */
export interface Place {
  readonly kind: 'servers' | 'files'
  readonly name: string
}

/** The store and the feed of one node. */
export interface Backend {
  readonly store: Store
  readonly feed: RevocationFeed
  /** Creates the tables. Called once, before any node starts. */
  migrate(): Promise<void>
  /** Closes the clients; with `drop`, also removes everything that this run has created. */
  close(options?: { readonly drop: boolean }): Promise<void>
}

/** Uses the servers if both respond, and otherwise a new folder. */
export async function findPlace(): Promise<Place> {
  const client = new pg.Client({ connectionString: POSTGRES, connectionTimeoutMillis: 1000 })
  const redis = new Redis(REDIS, { lazyConnect: true, connectTimeout: 1000, retryStrategy: null })
  client.on('error', () => {})
  redis.on('error', () => {})
  try {
    await Promise.all([client.connect(), redis.connect()])
    return { kind: 'servers', name: `ww_cluster_${process.pid}` }
  } catch {
    return { kind: 'files', name: await mkdtemp(join(tmpdir(), 'watchword-cluster-')) }
  } finally {
    redis.disconnect()
    await client.end().catch(() => {})
  }
}

/** Opens the store and the feed of one node. */
export function openBackend({ kind, name }: Place): Backend {
  return kind === 'servers' ? openServers(name) : openFiles(name)
}

function openServers(name: string): Backend {
  const pool = new pg.Pool({ connectionString: POSTGRES, max: 4 })
  const redis = new Redis(REDIS, { maxRetriesPerRequest: 1 })
  pool.on('error', () => {})
  redis.on('error', () => {})
  const store = postgresStore(pool, { schema: name })
  return {
    store,
    feed: redisFeed(redis, { prefix: name }),
    migrate: () => store.migrate(),
    async close({ drop } = { drop: false }) {
      try {
        if (drop) await dropServers(pool, redis, name)
      } finally {
        redis.disconnect()
        await pool.end()
      }
    },
  }
}

async function dropServers(pool: pg.Pool, redis: Redis, name: string): Promise<void> {
  await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`)
  for await (const keys of redis.scanStream({ match: `{${name}}*`, count: 1000 })) {
    if (keys.length > 0) await redis.unlink(keys)
  }
}

function openFiles(folder: string): Backend {
  const [tokens, revocations] = ['tokens.db', 'revocations.db'].map((file) => {
    const database = new Database(join(folder, file), { timeout: 5000 })
    database.exec('PRAGMA journal_mode = WAL')
    return database
  }) as [Database.Database, Database.Database]
  const store = sqliteStore(tokens)
  const feed = sqliteFeed(revocations)
  return {
    store,
    feed,
    async migrate() {
      await store.migrate()
      await feed.migrate()
    },
    async close({ drop } = { drop: false }) {
      tokens.close()
      revocations.close()
      if (drop) await rm(folder, { recursive: true, force: true })
    },
  }
}
