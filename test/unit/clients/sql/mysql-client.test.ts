/** Settings and sessions of a `mysql2` pool that an adapter supports or rejects. */
import callbacks from 'mysql2'
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MysqlPoolConnection, mysqlFeed } from '../../../../src/feed/mysql.js'
import { type MysqlPool, mysqlStore } from '../../../../src/store/mysql.js'
import { fixtures, NOW } from '../../../../src/testkit/store/fixtures.js'
import { serverUrl, uniqueName } from '../../../contract/servers.js'

const url = await serverUrl('mysql')
const make = fixtures('drivers')
const call = { signal: new AbortController().signal, deadlineMs: 5000 }

describe.skipIf(url === undefined)('a mysql2 pool', () => {
  const database = uniqueName()
  const uri = new URL(url ?? 'mysql://localhost/test')
  uri.pathname = database
  const pools: mysql.Pool[] = []
  let admin: mysql.Connection

  function poolOf(setting?: string): mysql.Pool {
    const pool = mysql.createPool({ uri: uri.href, connectionLimit: 3 })
    if (setting !== undefined)
      pool.pool.on('connection', (connection) => void connection.query(setting))
    pools.push(pool)
    return pool
  }

  beforeAll(async () => {
    admin = await mysql.createConnection(url ?? '')
    await admin.query(`CREATE DATABASE ${database}`)
    await mysqlStore(poolOf()).migrate()
    await mysqlFeed(poolOf()).migrate()
  })
  afterAll(async () => {
    await admin.query(`DROP DATABASE ${database}`)
    await Promise.all([admin.end(), ...pools.map((pool) => pool.end())])
  })

  it('works with the callback API', async () => {
    const pool = callbacks.createPool(uri.href)
    const store = mysqlStore(pool, { prefix: 'callbacks_' })
    await store.migrate()
    await store.open()
    const token = make.token()
    await store.insertTokens([token])
    expect(await store.getToken(token.id)).toStrictEqual(token)
    const feed = mysqlFeed(pool, { prefix: 'callbacks_' })
    await feed.migrate()
    await feed.open(call.signal)
    expect(await feed.head(call)).toBeNull()
    await pool.promise().end()
  })

  it.each([
    ['a connection', async () => await mysql.createConnection(url ?? '')],
    ['a callback connection', async () => callbacks.createConnection(url ?? '')],
    ['nothing', async () => undefined],
    ['a namespace', async () => mysql],
  ])('is distinguished from %s', async (_, createOther) => {
    const other: unknown = await createOther()
    for (const open of [mysqlStore, mysqlFeed])
      expect(() => open(other as MysqlPool)).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringContaining('mysql2/promise'),
        }),
      )
    await (other as { end?(): unknown } | undefined)?.end?.()
  })

  it('is rejected with autocommit off, by migrate and open of store and feed', async () => {
    const pool = poolOf('SET SESSION autocommit = 0')
    const [store, feed] = [mysqlStore(pool), mysqlFeed(pool)]
    const fresh = { prefix: 'manual_' }
    for (const start of [
      () => store.open(),
      () => feed.open(call.signal),
      () => mysqlStore(pool, fresh).migrate(),
      () => mysqlFeed(pool, fresh).migrate(),
    ])
      await expect(start()).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('autocommit'),
      })
  })

  it('makes the feed report how much a server that flushes once a second can lose', async () => {
    const pool = poolOf()
    // The setting belongs to the whole server, so only what the feed reads of it is replaced.
    const flushing = (value: number): MysqlPool => ({
      execute: pool.execute.bind(pool) as MysqlPool['execute'],
      query: pool.query.bind(pool) as MysqlPool['query'],
      getConnection: async () => {
        const connection = (await pool.getConnection()) as unknown as MysqlPoolConnection
        const execute: MysqlPoolConnection['execute'] = (query, values) =>
          query.sql.includes('@@innodb_flush_log_at_trx_commit')
            ? Promise.resolve([[{ flushing: value }], []])
            : connection.execute(query, values)
        return Object.create(connection, { execute: { value: execute } })
      },
    })
    for (const [value, durability] of [
      [1, 'fsync'],
      [2, 'process'],
    ] as const) {
      const feed = mysqlFeed(flushing(value))
      await feed.open(call.signal)
      expect(feed.info.durability).toBe(durability)
    }
  })

  it('works with safe updates on, for every method that writes', async () => {
    const pool = poolOf('SET SESSION sql_safe_updates = 1')
    const store = mysqlStore(pool)
    await store.open()
    const tokens = [make.token(), make.token()]
    await store.insertTokens(tokens)
    await store.recordUsage(tokens.map(({ id }) => ({ id, at: NOW + 1 })))
    const [first, second] = tokens as [(typeof tokens)[0], (typeof tokens)[0]]
    await store.succeed(first.id, make.successor(first), NOW)
    await store.supersede(first.id, NOW)
    for (const kind of ['token', 'family', 'key', 'subject', 'audience', 'all'] as const)
      await store.revoke({ ...make.revocation(kind, kind === 'all' ? '' : 'x'), before: NOW * 2 })
    expect((await store.getToken(second.id))?.revokedAt).not.toBeNull()
    await store.purge({ tokens: 1, keys: 1, revocations: 1 })
    const feed = mysqlFeed(pool)
    await feed.open(call.signal)
    const head = { epoch: 'epoch-of-22-characters', seq: 1, link: new Uint8Array(16), floor: 1 }
    const next = { ...head, beaconAt: NOW, bytes: new Uint8Array(9) }
    const events = [{ seq: 1, bytes: new Uint8Array(3) }]
    expect(await feed.append(null, events, next, call)).toEqual({ ok: true })
    expect(await feed.touch?.(next, { ...next, beaconAt: NOW + 1 }, call)).toBe(true)
    await feed.trim?.(1, call)
    expect((await feed.head(call))?.floor).toBe(2)
    const again = { ...next, epoch: 'other-of-22-characters' }
    expect(await feed.append(next, events, again, call)).toEqual({ ok: true })
  })

  it('raises no unhandled error when its connections are lost repeatedly', async () => {
    const pool = poolOf()
    const [store, feed] = [mysqlStore(pool), mysqlFeed(pool, { name: 'killed' })]
    const unheard: unknown[] = []
    const note = (error: unknown): void => void unheard.push(error)
    process.on('uncaughtException', note)
    process.on('unhandledRejection', note)
    let isOver = false
    const work = async (): Promise<void> => {
      while (!isOver) {
        await store.insertTokens([make.token()], { max: 9, now: NOW }).catch(() => undefined)
        await store.getToken(make.id()).catch(() => undefined)
        await feed.head(call).catch(() => undefined)
      }
    }
    const workers = [1, 2, 3, 4].map(work)
    for (let killed = 0; killed < 200; ) {
      const [rows] = await admin.query(
        'SELECT id FROM information_schema.processlist WHERE db = ?',
        [database],
      )
      for (const { id } of rows as { id: number }[])
        await admin.query(`KILL ${id}`).then(
          () => killed++,
          () => undefined,
        )
    }
    isOver = true
    await Promise.all(workers)
    process.removeListener('uncaughtException', note)
    process.removeListener('unhandledRejection', note)
    expect(unheard).toEqual([])
    await expect(store.getToken(make.id())).resolves.toBeUndefined()
  })
})
