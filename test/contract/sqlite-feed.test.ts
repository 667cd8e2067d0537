import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { type SqlFeed, type SqliteDatabase, sqliteFeed } from '../../src/feed/sqlite.js'
import { sqliteStore } from '../../src/store/sqlite.js'
import { feedContract } from '../../src/testkit/feed-contract.js'

interface Handle extends SqliteDatabase {
  close(): unknown
}

interface NodeSqlite {
  readonly DatabaseSync: new (path: string) => Handle
}

const node = process.getBuiltinModule?.('node:sqlite' as 'fs') as unknown as NodeSqlite | undefined

const drivers: ReadonlyArray<readonly [string, (path: string) => Handle]> = [
  ['libsql', (path) => new Libsql(path, { timeout: 5000 }) as unknown as Handle],
  ...(node === undefined
    ? []
    : [['node:sqlite', (path: string) => new node.DatabaseSync(path)] as const]),
]

const folder = mkdtempSync(join(tmpdir(), 'watchword-sqlite-feed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { signal } = new AbortController()

describe.each(drivers)('sqliteFeed over %s', (driver, open) => {
  const paths = new WeakMap<RevocationFeed, string>()
  const handles = new WeakMap<RevocationFeed, Handle>()
  let count = 0
  const newPath = () => join(folder, `${driver.replace(':', '-')}-${count++}.db`)

  function feedAt(path: string): SqlFeed {
    const handle = open(path)
    handle.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
    const feed = sqliteFeed(handle)
    paths.set(feed, path)
    handles.set(feed, handle)
    return feed
  }

  feedContract({
    describe,
    it,
    createFeed: async () => {
      const feed = feedAt(newPath())
      await feed.migrate()
      return feed
    },
    createTwin: async (feed) => feedAt(paths.get(feed) ?? ''),
    plantEvent: async (feed, { seq, bytes }) => {
      handles
        .get(feed)
        ?.prepare(
          `INSERT INTO watchword_feed_log (feed, epoch, seq, bytes)
            SELECT feed, epoch, ?, ? FROM watchword_feed_head`,
        )
        .run(seq, bytes)
    },
    destroyFeed: async (feed) => void handles.get(feed)?.close(),
  })

  it('never closes the caller’s handle', async () => {
    const feed = feedAt(newPath())
    await feed.migrate()
    await feed.open(signal)
    await feed.close()
    const found = handles.get(feed)?.prepare('SELECT 1 AS one').all()
    expect(found).toMatchObject([{ one: 1 }])
  })

  it('shares a database with a store, and each is migrated separately', async () => {
    const handle = open(newPath())
    const store = sqliteStore(handle)
    const feed = sqliteFeed(handle)
    await store.migrate()
    await expect(feed.open(signal)).rejects.toMatchObject({
      code: 'ERR_STORE_SCHEMA',
      message: "the schema of the sqlite feed is missing: run the feed's migrate()",
    })
    await feed.migrate()
    await feed.migrate()
    await feed.open(signal)
    await store.open()
    handle.exec('INSERT INTO watchword_feed_schema (version) VALUES (2)')
    await expect(feed.open(signal)).rejects.toMatchObject({
      code: 'ERR_STORE_SCHEMA',
      message: 'the schema of the sqlite feed is newer than this library: update the library',
    })
    await expect(feed.migrate()).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    await store.open()
    handle.close()
  })

  it('has the schema that its migrationSql creates', async () => {
    const handle = open(':memory:')
    const feed = sqliteFeed(handle, { prefix: 'other_' })
    handle.exec(feed.migrationSql())
    await feed.open(signal)
    handle.close()
  })

  it('keeps feeds of different names apart', async () => {
    const handle = open(':memory:')
    const [feed, other] = ['main', 'other'].map((name) => sqliteFeed(handle, { name }))
    await feed?.migrate()
    const call = { signal, deadlineMs: 1000 }
    const next = {
      epoch: 'e',
      seq: 1,
      link: new Uint8Array(16),
      floor: 1,
      beaconAt: 1,
      bytes: new Uint8Array(1),
    }
    const events = [{ seq: 1, bytes: new Uint8Array(3) }]
    expect(await feed?.append(null, events, next, call)).toEqual({ ok: true })
    expect(await other?.head(call)).toBe(null)
    expect(await other?.read({ epoch: 'e', seq: 0 }, 5, call)).toEqual({ events: [], floor: 1 })
    expect(await other?.append(null, [], { ...next, seq: 0 }, call)).toEqual({ ok: true })
    expect(await feed?.read({ epoch: 'e', seq: 0 }, 5, call)).toEqual({ events, floor: 1 })
    handle.close()
  })

  it('reports what an acknowledged append survives', async () => {
    const durability = async (path: string, pragma: string) => {
      const handle = open(path)
      handle.exec(pragma)
      const feed = sqliteFeed(handle)
      await feed.migrate()
      expect(feed.info.durability).toBe('unknown')
      await feed.open(signal)
      handle.close()
      return feed.info.durability
    }
    const wal = 'PRAGMA journal_mode = WAL;'
    expect(await durability(newPath(), `${wal} PRAGMA synchronous = FULL`)).toBe('fsync')
    expect(await durability(newPath(), `${wal} PRAGMA synchronous = NORMAL`)).toBe('process')
    expect(await durability(newPath(), 'PRAGMA synchronous = EXTRA')).toBe('fsync')
    expect(await durability(newPath(), 'PRAGMA synchronous = OFF')).toBe('process')
    expect(await durability(':memory:', 'PRAGMA synchronous = FULL')).toBe('none')
  })

  it('rejects an invalid handle and an unknown option', () => {
    const wrong =
      (database: unknown, ...options: [object?]) =>
      () =>
        sqliteFeed(database as SqliteDatabase, ...options)
    expect(wrong({})).toThrow('database: expected a handle')
    expect(wrong(open(':memory:'), { schema: 'x' })).toThrow("unknown option 'schema'")
    expect(wrong(open(':memory:'), { name: 'a-b' })).toThrow('name: expected 1 to 31')
  })
})
