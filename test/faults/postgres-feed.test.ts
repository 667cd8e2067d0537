/** How the push channel of Postgres behaves when it is cut, forged or disabled, and which servers may return the head. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SealedHead, WatchHint } from '../../src/feed/feed.js'
import {
  type PostgresFeedOptions,
  type PostgresListener,
  postgresFeed,
} from '../../src/feed/postgres.js'
import { channelOf } from '../../src/feed/sql/postgres-listen.js'
import { serverUrl, uniqueName } from '../contract/servers.js'
import { tcpProxy } from '../support/tcp-proxy.js'
import { CALL, following, newHead } from './sql-feed-places.js'

const url = (await serverUrl('postgres')) ?? 'postgres://localhost/test'

describe.skipIf((await serverUrl('postgres')) === undefined)('the feed in Postgres', () => {
  const schema = uniqueName()
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  const feed = postgresFeed(pool, { schema })
  beforeAll(() => feed.migrate())
  afterAll(async () => {
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    await pool.end()
  })

  async function begin(): Promise<SealedHead> {
    const next = newHead()
    await feed.append(await feed.head(CALL), [], next, CALL)
    return next
  }

  /** Listens through clients that are identified by name, and records the wake-ups. */
  function watching(at: SealedHead, { as = uniqueName(), port = 0 } = {}) {
    const target = new URL(url)
    if (port > 0) target.port = String(port)
    const create = () =>
      new pg.Client({ connectionString: target.href, application_name: as, keepAlive: true })
    const stop = new AbortController()
    const hints: (WatchHint | undefined)[] = []
    let wanted: { readonly count: number; readonly done: () => void } | undefined
    const wake = (hint?: WatchHint): void => {
      hints.push(hint)
      if (wanted !== undefined && hints.length >= wanted.count) wanted.done()
    }
    const listening = postgresFeed(pool, { schema, listen: create })
    const over = listening.watch?.(at, wake, stop.signal) ?? Promise.reject(new Error('no watch'))
    return {
      as,
      over,
      stop,
      hints,
      woken: (count: number) =>
        new Promise<void>((done) => {
          wanted = { count, done }
          if (hints.length >= count) done()
        }),
    }
  }

  const sessionsOf = async (name: string): Promise<number> => {
    const { rows } = await pool.query(
      'SELECT COUNT(*) AS n FROM pg_stat_activity WHERE application_name = $1',
      [name],
    )
    return Number(rows[0].n)
  }

  it('wakes on listening, then with the events, and releases its connection', async () => {
    const head = await begin()
    const { as, over, stop, hints, woken } = watching(head)
    await woken(1)
    expect(hints).toEqual([undefined])
    const small = following(head, [300, 400])
    await feed.append(head, small.events, small.next, CALL)
    const large = following(small.next, [24_000])
    await feed.append(small.next, large.events, large.next, CALL)
    await woken(3)
    expect(hints).toEqual([undefined, { events: small.events }, {}])
    stop.abort()
    await over
    while ((await sessionsOf(as)) > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('rejects when its session ends, and finds what was sent meanwhile when it listens again', async () => {
    const head = await begin()
    const first = watching(head)
    await first.woken(1)
    const refused = expect(first.over).rejects.toThrow()
    await pool.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
      [first.as],
    )
    await refused
    const { events, next } = following(head, [100])
    await feed.append(head, events, next, CALL)
    const second = watching(head)
    await second.woken(1)
    expect((await feed.read(head, 10, CALL)).events).toEqual(events)
    expect(first.hints).toEqual([undefined])
    second.stop.abort()
    await second.over
  })

  it('notices that the other end disappeared silently', async () => {
    const { hostname, port } = new URL(url)
    const proxy = await tcpProxy(hostname, Number(port || 5432))
    const { over, woken } = watching(await begin(), { port: proxy.port })
    await woken(1)
    const refused = expect(over).rejects.toThrow('did not respond within 2000 ms')
    proxy.blackHole()
    await refused
    await proxy.close()
  })

  it('rejects when the server does not reply', async () => {
    const proxy = await tcpProxy('127.0.0.1', 1)
    await expect(watching(await begin(), { port: proxy.port }).over).rejects.toThrow()
    await proxy.close()
  })

  it('ignores malformed notifications from any client', async () => {
    const head = await begin()
    const { over, stop, hints, woken } = watching(head)
    await woken(1)
    const channel = channelOf(`"${schema}".watchword_feed_log`, 'main')
    const payloads = ['', '7', 'x', ':', '1:', '1:!', '-1:AAAA', `1:${'A'.repeat(7000)}`]
    for (const payload of payloads) await pool.query('SELECT pg_notify($1, $2)', [channel, payload])
    await woken(1 + payloads.length)
    expect(hints.slice(1, -1)).toEqual(Array(payloads.length - 1).fill({}))
    expect(hints.at(-1)?.events?.[0]?.bytes).toHaveLength(5250)
    stop.abort()
    await over
  })

  it('ends its watches when it is closed', async () => {
    const closing = postgresFeed(pool, { schema })
    const listening = new Promise<void>((resolve, reject) => {
      const over = closing.watch?.(
        newHead(),
        () => resolve(closing.close().then(() => over)),
        CALL.signal,
      )
      over?.catch(reject)
    })
    await listening
    await expect(closing.head(CALL)).rejects.toThrow('closed')
  })

  it('listens with the connection settings of the pool, including the password', async () => {
    const configs: pg.ClientConfig[] = []
    class Client extends pg.Client {
      constructor(config: pg.ClientConfig = {}) {
        super(config)
        configs.push(config)
      }
    }
    const { hostname, port, username, pathname } = new URL(url)
    const secretive = new pg.Pool({
      host: hostname,
      port: Number(port || 5432),
      user: username,
      database: pathname.slice(1),
      password: 'a secret',
      Client,
    })
    const stop = new AbortController()
    const over = postgresFeed(secretive, { schema }).watch?.(
      newHead(),
      () => stop.abort(),
      stop.signal,
    )
    await over
    expect(configs).toHaveLength(1)
    expect(configs[0]).toMatchObject({ password: 'a secret', keepAlive: true })
    await secretive.end()
  })

  it('sends nothing when it only polls', async () => {
    const head = await begin()
    const silent = postgresFeed(pool, { schema, listen: false })
    await silent.open(CALL.signal)
    expect(silent.info).toMatchObject({
      name: 'postgres',
      push: false,
      durability: 'fsync',
      suggestedPollMs: 250,
    })
    expect(silent.watch).toBeUndefined()
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const heard = new Promise<string | undefined>((resolve) => {
      client.on('notification', ({ payload }) => resolve(payload))
    })
    await client.query(`LISTEN ${channelOf(`"${schema}".watchword_feed_log`, 'main')}`)
    const first = following(head, [24_000])
    expect(await silent.append(head, first.events, first.next, CALL)).toEqual({ ok: true })
    const second = following(first.next, [24_000])
    await feed.append(first.next, second.events, second.next, CALL)
    // The first notification that arrives is that of the second write.
    expect(await heard).toBe('2')
    await client.end()
  })

  it('rejects replies from a replica', async () => {
    await begin()
    await pool.query(
      `CREATE FUNCTION "${schema}".pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
    )
    const options = `-c search_path=${schema},pg_catalog`
    const replicaPool = new pg.Pool({ connectionString: url, options })
    const replica = postgresFeed(replicaPool, { schema })
    await replica.open(CALL.signal)
    await expect(replica.head(CALL)).rejects.toThrow('replica')
    await expect(replica.read({ epoch: 'any', seq: 0 }, 1, CALL)).rejects.toThrow('replica')
    await replicaPool.end()
  })

  it('reports what an acknowledged append survives', async () => {
    const lax = new pg.Pool({ connectionString: url, options: '-c synchronous_commit=off' })
    for (const [each, durability] of [
      [pool, 'fsync'],
      [lax, 'process'],
    ] as const) {
      const opened = postgresFeed(each, { schema })
      expect(opened.info.durability).toBe('unknown')
      await opened.open(CALL.signal)
      expect(opened.info).toMatchObject({ durability, push: true, suggestedPollMs: 1000 })
    }
    await lax.end()
  })

  it('rejects unknown options, and a pool beside which it cannot listen', () => {
    const without = { query: pool.query.bind(pool), connect: () => pool.connect() }
    expect(() => postgresFeed(without)).toThrow('listen: expected a function, or false')
    expect(() => postgresFeed(without, { listen: false })).not.toThrow()
    const wrong = (options: unknown) => () => postgresFeed(pool, options as PostgresFeedOptions)
    const listener: PostgresListener = new pg.Client()
    expect(wrong({ listen: listener })).toThrow('listen: expected a function, or false')
    expect(wrong({ listen: true })).toThrow('listen: expected a function, or false')
    expect(wrong({ name: 'Main' })).toThrow('name: expected')
    expect(wrong({ channel: 'x' })).toThrow("unknown option 'channel'")
  })
})
