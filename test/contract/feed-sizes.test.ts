/** Oversized data that others wrote into a log is truncated at the server, so that it never fills the memory of a node. */
import { Redis } from 'ioredis'
import Libsql from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  MAX_EVENT_BYTES,
  MAX_HEAD_BYTES,
  type RevocationFeed,
  type SealedHead,
} from '../../src/feed/feed.js'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { redisFeed } from '../../src/feed/redis.js'
import { sqliteFeed } from '../../src/feed/sqlite.js'
import { serverUrl, uniqueName } from './servers.js'

const HUGE = 8 * 1024 * 1024
const EPOCH = 'e'.repeat(22)
const call = () => ({ signal: new AbortController().signal, deadlineMs: 5000 })
const START = { epoch: EPOCH, seq: 0 }

/** One feed with a log of two events, into which another writer can write. */
interface Place {
  readonly name: string
  setUp(): Promise<void>
  tearDown(): Promise<void>
  feed(): RevocationFeed
  /** Makes a column of the named table eight megabytes long, in every row. */
  spoil(table: 'head' | 'log' | 'snapshots' | 'chunks', column: string): Promise<unknown>
  /** The columns that the database itself keeps short. */
  readonly short: readonly string[]
  /** The number of bytes received from the server so far; `undefined` for a database in this process. */
  received(): number | undefined
}

function sqlite(): Place {
  const database = new Libsql(':memory:')
  const feed = sqliteFeed(database)
  return {
    name: 'SQLite',
    short: [],
    setUp: () => feed.migrate(),
    tearDown: async () => void database.close(),
    feed: () => sqliteFeed(database),
    received: () => undefined,
    async spoil(table, column) {
      const isBytes = ['seal', 'link', 'bytes'].includes(column)
      const value = isBytes ? `zeroblob(${HUGE})` : `hex(zeroblob(${HUGE / 2}))`
      database.exec(`UPDATE watchword_feed_${table} SET ${column} = ${value}`)
    },
  }
}

const postgresUrl = await serverUrl('postgres')
function postgres(): Place {
  const schema = uniqueName()
  const sockets: { readonly bytesRead: number }[] = []
  const pool = new pg.Pool({ connectionString: postgresUrl, max: 2 })
  const admin = new pg.Pool({ connectionString: postgresUrl, max: 1 })
  pool.on('connect', (client) => {
    sockets.push((client as unknown as { connection: { stream: never } }).connection.stream)
  })
  const make = () => postgresFeed(pool, { schema, listen: false })
  return {
    name: 'PostgreSQL',
    short: [],
    setUp: () => make().migrate(),
    async tearDown() {
      await admin.query(`DROP SCHEMA ${schema} CASCADE`)
      await Promise.all([pool.end(), admin.end()])
    },
    feed: make,
    received: () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    spoil(table, column) {
      const isBytes = ['seal', 'link', 'bytes'].includes(column)
      const text = `repeat('e', ${HUGE})`
      const value = isBytes ? `convert_to(${text}, 'UTF8')` : text
      return admin.query(`UPDATE ${schema}.watchword_feed_${table} SET ${column} = ${value}`)
    },
  }
}

const mysqlUrl = await serverUrl('mysql')
function maria(): Place {
  const prefix = `${uniqueName()}_`
  const sockets: { readonly bytesRead: number }[] = []
  const pool = mysql.createPool({ uri: mysqlUrl ?? '', connectionLimit: 2 })
  const admin = mysql.createPool({ uri: mysqlUrl ?? '', connectionLimit: 1 })
  pool.on('connection', (connection) => {
    sockets.push((connection as unknown as { stream: never }).stream)
  })
  const make = () => mysqlFeed(pool, { prefix })
  return {
    name: 'MySQL and MariaDB',
    short: ['epoch', 'link', 'generation'],
    setUp: () => make().migrate(),
    async tearDown() {
      const tables = ['head', 'log', 'snapshots', 'chunks', 'schema']
      await admin.query(`DROP TABLE ${tables.map((name) => `${prefix}feed_${name}`).join(', ')}`)
      await Promise.all([pool.end(), admin.end()])
    },
    feed: make,
    received: () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    spoil: (table, column) =>
      admin.query(`UPDATE ${prefix}feed_${table} SET ${column} = REPEAT('e', ${HUGE})`),
  }
}

const places = [
  sqlite(),
  ...(postgresUrl === undefined ? [] : [postgres()]),
  ...(mysqlUrl === undefined ? [] : [maria()]),
]

function headAt(seq: number): SealedHead {
  const [link, bytes] = [new Uint8Array(16).fill(seq), new Uint8Array(32).fill(seq)]
  return { epoch: EPOCH, seq, link, floor: 1, beaconAt: seq + 1, bytes }
}

async function* chunks() {
  yield new Uint8Array(8)
  yield new Uint8Array(8)
}

/** Opens a feed with two events and a snapshot, and clears any earlier data. */
async function filled(place: Pick<Place, 'feed'>): Promise<RevocationFeed> {
  const feed = place.feed()
  await feed.open(call().signal)
  await feed.reset?.()
  const events = [1, 2].map((seq) => ({ seq, bytes: new Uint8Array(16).fill(seq) }))
  expect((await feed.append(null, events, headAt(2), call())).ok).toBe(true)
  await feed.snapshot?.save(chunks(), call().signal)
  return feed
}

async function loaded(feed: RevocationFeed): Promise<readonly Uint8Array[]> {
  const found: Uint8Array[] = []
  for await (const chunk of feed.snapshot?.load(call().signal) ?? []) found.push(chunk)
  return found
}

describe.each(places)('in $name, a column of eight megabytes', (place) => {
  beforeAll(place.setUp)
  afterAll(place.tearDown)

  /** Runs the work, and asserts that it received only few bytes from the server. */
  async function briefly<T>(work: () => Promise<T>): Promise<T> {
    const before = place.received() ?? 0
    const result = await work()
    expect((place.received() ?? 0) - before).toBeLessThan(256 * 1024)
    return result
  }

  it.each(['epoch', 'link', 'seal'].filter((each) => !place.short.includes(each)))(
    '%s of the head is truncated',
    async (column) => {
      const feed = await filled(place)
      await place.spoil('head', column)
      const head = await briefly(() => feed.head(call()))
      expect(head?.epoch.length).toBeLessThanOrEqual(65)
      expect(head?.link.length).toBeLessThanOrEqual(65)
      expect(head?.bytes.length).toBeLessThanOrEqual(MAX_HEAD_BYTES + 1)
      const result = await briefly(() => feed.append(headAt(1), [], headAt(2), call()))
      expect(result.ok).toBe(false)
    },
  )

  it('of an event is truncated to a length that shows that it is too long', async () => {
    const feed = await filled(place)
    await place.spoil('log', 'bytes')
    const page = await briefly(() => feed.read(START, 100, call()))
    expect(page.events.length).toBeGreaterThan(0)
    for (const { bytes } of page.events) expect(bytes.length).toBe(MAX_EVENT_BYTES + 1)
  })

  it('of a chunk is truncated to a length that shows that it is too long', async () => {
    const feed = await filled(place)
    await place.spoil('chunks', 'bytes')
    for (const { length } of await briefly(() => loaded(feed)))
      expect(length).toBe(MAX_EVENT_BYTES + 1)
  })

  it.skipIf(place.short.includes('generation'))(
    'of the name of a snapshot is truncated, when it is loaded and when it is replaced',
    async () => {
      const feed = await filled(place)
      await place.spoil('snapshots', 'generation')
      await briefly(() => loaded(feed).catch(() => []))
      await place.spoil('snapshots', 'previous')
      await briefly(async () => feed.snapshot?.save(chunks(), call().signal))
      expect(await loaded(feed)).toHaveLength(2)
    },
  )
})

const redisUrl = await serverUrl('redis')
describe.skipIf(redisUrl === undefined)('in Redis, a field of eight megabytes', () => {
  const prefix = uniqueName()
  const key = `{${prefix}}:feed`
  const client = new Redis(redisUrl ?? '', { lazyConnect: true })
  const admin = new Redis(redisUrl ?? '', { lazyConnect: true })
  afterAll(async () => {
    const keys = await admin.keys(`${key}*`)
    if (keys.length > 0) await admin.unlink(...keys)
    admin.disconnect()
    client.disconnect()
  })
  const place = { feed: () => redisFeed(client, { prefix }) }
  async function briefly<T>(work: () => Promise<T>): Promise<T> {
    const before = client.stream.bytesRead ?? 0
    const result = await work()
    expect((client.stream.bytesRead ?? 0) - before).toBeLessThan(256 * 1024)
    return result
  }
  const huge = Buffer.alloc(HUGE, 'e')

  it.each(['epoch', 'seq', 'link', 'floor', 'beaconAt', 'bytes', 'no'])(
    '%s of the head is truncated',
    async (field) => {
      const feed = await filled(place)
      await admin.hset(key, field, huge)
      const head = await briefly(() => feed.head(call()))
      expect(head?.epoch.length).toBeLessThanOrEqual(64)
      expect(head?.bytes.length).toBeLessThanOrEqual(MAX_HEAD_BYTES + 1)
      await briefly(() => feed.read(START, 100, call()))
    },
  )

  it('of an entry of the log, or of a chunk, is not read', async () => {
    const feed = await filled(place)
    const [[id] = ['']] = await admin.xrevrange(`${key}:log`, '+', '-', 'COUNT', 1)
    await admin.xdel(`${key}:log`, id)
    const no = id.split('-')[0] ?? ''
    await admin.xadd(`${key}:log`, `${no}-3`, 'e', huge)
    await admin.hset(key, 'seq', '3')
    const page = await briefly(() => feed.read(START, 100, call()))
    expect(page.events.map(({ seq }) => seq)).toEqual([1])
    const generation = await admin.hget(`${key}:snapshot`, 'generation')
    await admin.lset(`${key}:snapshot:${generation}`, 1, huge)
    expect(await briefly(() => loaded(feed))).toEqual([])
  })
})
