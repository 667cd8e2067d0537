/** Snapshots whose rows others change while they are written or read, in a database in memory. */
import Libsql from 'libsql'
import { describe, expect, it } from 'vitest'
import { type SqliteDatabase, sqliteFeed } from '../../../../src/feed/sqlite.js'

const { signal } = new AbortController()
const CHUNKS = 'watchword_feed_chunks'

async function openSnapshot() {
  const database = new Libsql(':memory:')
  const feed = sqliteFeed(database as unknown as SqliteDatabase)
  await feed.migrate()
  await feed.open(signal)
  const { snapshot } = feed
  if (snapshot === undefined) throw new Error('no snapshot')
  return { database, snapshot }
}

async function* chunks(count: number, then: () => unknown = () => undefined) {
  for (let at = 0; at < count; at++) yield new Uint8Array([at])
  then()
}

type Snapshot = Awaited<ReturnType<typeof openSnapshot>>['snapshot']

/** Reads the snapshot, and runs `then` after its first chunk. */
async function read({ load }: Snapshot, then: () => unknown = () => undefined): Promise<number[]> {
  const found: number[] = []
  for await (const [byte] of load(signal)) {
    found.push(byte as number)
    if (found.length === 1) then()
  }
  return found
}

describe('a snapshot in SQL', () => {
  it('is not completed when its chunks were removed while it was written', async () => {
    const { database, snapshot } = await openSnapshot()
    await snapshot.save(chunks(2), signal)
    const remove = () => database.exec(`DELETE FROM ${CHUNKS} WHERE part > 1`)
    await expect(snapshot.save(chunks(9, remove), signal)).rejects.toThrow(
      'the snapshot took so long that its chunks were removed',
    )
    expect(await read(snapshot)).toEqual([0, 1])
  })

  it('cannot be read to its end after it was replaced twice', async () => {
    const { snapshot, database } = await openSnapshot()
    await snapshot.save(chunks(100), signal)
    const remove = () => database.exec(`DELETE FROM ${CHUNKS}`)
    await expect(read(snapshot, remove)).rejects.toThrow('replaced while it was read')
  })

  it('cannot be read when a chunk is missing', async () => {
    const { snapshot, database } = await openSnapshot()
    await snapshot.save(chunks(3), signal)
    database.exec(`DELETE FROM ${CHUNKS} WHERE part = 1`)
    await expect(read(snapshot)).rejects.toThrow('chunk 1 of the snapshot is missing')
  })

  it('ends with its last chunk when others added one', async () => {
    const { snapshot, database } = await openSnapshot()
    await snapshot.save(chunks(3), signal)
    database.exec(`INSERT INTO ${CHUNKS} (feed, generation, part, saved_at, bytes)
      SELECT feed, generation, 3, saved_at, bytes FROM ${CHUNKS} WHERE part = 0`)
    expect(await read(snapshot)).toEqual([0, 1, 2])
  })
})
