/**
 * An authority over a broker's feed and a SQLite file: what parent and children start alike.
 *
 * @module
 */
import Database from 'libsql'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { createWatchword, type Watchword } from '../../src/index.js'
import { type SqliteDatabase, sqliteStore } from '../../src/store/sqlite.js'

/** What the nodes of one fleet share. */
export interface Fleet {
  readonly file: string
  readonly rootKey: string
}

/** The options of every node. */
export const OPTIONS = {
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
} as const

/** The store of a fleet, with its tables. */
export async function openStore({ file }: Fleet) {
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.pragma('busy_timeout = 5000')
  const store = sqliteStore(database as unknown as SqliteDatabase)
  await store.migrate()
  return store
}

/** Starts a node. */
export async function startNode(fleet: Fleet, feed: RevocationFeed): Promise<Watchword> {
  return createWatchword({
    ...OPTIONS,
    rootKey: fleet.rootKey,
    store: await openStore(fleet),
    feed,
  })
}
