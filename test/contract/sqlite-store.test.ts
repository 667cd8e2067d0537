import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import { type SqliteDatabase, type SqlStore, sqliteStore } from '../../src/store/sqlite.js'
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'

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

const folder = await mkdtemp(join(tmpdir(), 'watchword-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(drivers)('sqliteStore over %s', (_, open) => {
  const paths = new WeakMap<Store, string>()
  const handles = new WeakMap<Store, Handle>()
  let count = 0

  function storeAt(path: string): SqlStore {
    const handle = open(path)
    const store = sqliteStore(handle)
    // The store does not close its handle, as the caller would.
    const wrapped = { ...store, close: () => store.close() }
    paths.set(wrapped, path)
    handles.set(wrapped, handle)
    return wrapped
  }

  storeContract({
    describe,
    it,
    createStore: async () => {
      const store = storeAt(join(folder, `${_.replace(':', '-')}-${count++}.db`))
      handles.get(store)?.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
      await store.migrate()
      return store
    },
    createTwin: async (store) => storeAt(paths.get(store) ?? ''),
    destroyStore: async (store) => void handles.get(store)?.close(),
  })

  it('never closes the caller’s handle', async () => {
    const store = storeAt(join(folder, `own-${count++}.db`))
    await store.migrate()
    await store.open()
    await store.close()
    const found = handles.get(store)?.prepare('SELECT 1 AS one').all()
    expect(found).toMatchObject([{ one: 1 }])
  })
})
