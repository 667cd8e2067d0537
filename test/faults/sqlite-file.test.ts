/** A SQLite file that others lock, replace, move or delete while it is open. */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import { sqliteFeed } from '../../src/feed/sqlite.js'
import { sqliteStore } from '../../src/store/sqlite.js'
import { fixtures } from '../../src/testkit/store/fixtures.js'

const make = fixtures('file')
const call = { signal: new AbortController().signal, deadlineMs: 5000 }
const folder = mkdtempSync(join(tmpdir(), 'watchword-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function openBoth(name: string) {
  const path = join(folder, name)
  const handle = () => {
    const database = new Libsql(path, { timeout: 2000 })
    database.exec('PRAGMA journal_mode = WAL')
    return database
  }
  const [store, feed] = [sqliteStore(handle()), sqliteFeed(handle())]
  await store.migrate()
  await feed.migrate()
  const incidents: string[] = []
  feed.observe?.((kind) => incidents.push(kind))
  return { path, store, feed, incidents, handle }
}

const remove = (path: string): void => {
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true })
}

describe('a file of SQLite', () => {
  it.each<[string, RegExp, (path: string) => void]>([
    [
      'replaced by a copy',
      /was replaced/,
      (path) => {
        copyFileSync(path, `${path}.copy`)
        remove(path)
        copyFileSync(`${path}.copy`, path)
      },
    ],
    [
      'replaced by renaming',
      /was replaced/,
      (path) => {
        copyFileSync(path, `${path}.copy`)
        renameSync(`${path}.copy`, path)
      },
    ],
    ['deleted', /deleted or moved/, remove],
    ['moved', /deleted or moved/, (path) => renameSync(path, `${path}.moved`)],
  ])('that was %s makes store and feed reject', async (how, message, change) => {
    const { path, store, feed, incidents } = await openBoth(`${how}.db`)
    const token = make.token()
    await store.insertTokens([token])
    expect(await feed.head(call)).toBeNull()
    change(path)
    for (const use of [
      () => store.getToken(token.id),
      () => store.insertTokens([make.token()]),
      () => store.open(),
    ])
      await expect(use()).rejects.toMatchObject({
        code: 'ERR_STORE_UNAVAILABLE',
        message: expect.stringMatching(message),
      })
    const head = { epoch: 'epoch-of-22-characters', seq: 0, link: new Uint8Array(16), floor: 1 }
    const next = { ...head, beaconAt: 1, bytes: new Uint8Array(9) }
    for (const use of [() => feed.head(call), () => feed.append(null, [], next, call)])
      await expect(use()).rejects.toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
    expect(incidents).toEqual(['replaced', 'replaced'])
  })

  it('may be replaced by a database in memory', async () => {
    const database = new Libsql(':memory:')
    const [store, feed] = [sqliteStore(database), sqliteFeed(database)]
    await store.migrate()
    await feed.migrate()
    expect(await feed.head(call)).toBeNull()
    expect(await store.getToken(make.id())).toBeUndefined()
  })

  it('that others have locked delays only the calls that write to it', async () => {
    const { store, feed, handle } = await openBoth('locked.db')
    const other = handle()
    const own = handle()
    const [timeout] = own.prepare('PRAGMA busy_timeout').all()
    const patient = sqliteStore(own)
    other.exec('BEGIN IMMEDIATE')
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const [token, twin] = [make.token(), make.token()]
    let written = 0
    const writes = [patient.insertTokens([token]), store.insertTokens([twin])].map((each) =>
      each.then(() => written++),
    )
    for (let i = 0; i < 100; i++) expect(await feed.head(call)).toBeNull()
    await new Promise((resolve) => setTimeout(resolve, 500))
    delay.disable()
    expect(written).toBe(0)
    // The handle's own timeout is two seconds. SQLite would block the process for that time.
    expect(delay.max / 1e6).toBeLessThan(1500)
    other.exec('COMMIT')
    await Promise.all(writes)
    expect(await store.getToken(token.id)).toStrictEqual(token)
    expect(own.prepare('PRAGMA busy_timeout').all()).toEqual([timeout])
  })

  it('that stays locked makes a write reject after some seconds, and a call of the feed when it is aborted', async () => {
    const { store, feed, handle } = await openBoth('stuck.db')
    const other = handle()
    other.exec('BEGIN IMMEDIATE')
    const signal = AbortSignal.timeout(200)
    const head = { epoch: 'epoch-of-22-characters', seq: 0, link: new Uint8Array(16), floor: 1 }
    const next = { ...head, beaconAt: 1, bytes: new Uint8Array(9) }
    await expect(feed.append(null, [], next, { signal, deadlineMs: 200 })).rejects.toThrow(
      /abort|timeout/i,
    )
    await expect(store.insertTokens([make.token()])).rejects.toThrow(/locked|busy/i)
    other.exec('ROLLBACK')
    await store.insertTokens([make.token()])
  })
})
