/** How the Redis feed behaves when its server stops, dies, is full, or is the wrong one. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Position, RevocationFeed, SealedHead } from '../../src/feed/feed.js'
import { type RedisFeedClient, redisFeed } from '../../src/feed/redis.js'
import { redisWakeups, type WakeupChannel } from '../../src/feed/wakeups.js'
import { hasRedisServer, type OwnServer, ownServer } from '../contract/redis-server.js'
import { tcpProxy } from '../support/tcp-proxy.js'

const call = { signal: new AbortController().signal, deadlineMs: 1000 }
const NOWHERE: Position = { epoch: '', seq: 0, link: new Uint8Array(16) }
const SOON_MS = 20_000

function headAt(seq: number): SealedHead {
  const link = new Uint8Array(16).fill(seq % 256)
  const bytes = new Uint8Array([seq % 256])
  return { epoch: 'epoch-of-22-characters', seq, link, floor: 1, beaconAt: seq, bytes }
}

async function append(feed: RevocationFeed, seq: number): Promise<void> {
  const next = headAt(seq)
  const appended = await feed.append(
    seq === 1 ? null : headAt(seq - 1),
    [{ seq, bytes: next.bytes }],
    next,
    call,
  )
  expect(appended).toEqual({ ok: true })
}

describe.skipIf(!hasRedisServer())('the redis feed, on a separate server', async () => {
  const servers: OwnServer[] = []
  const ends: (() => void)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) end()
    for (const server of servers.splice(0)) await server.remove()
  })

  async function serve(...settings: string[]): Promise<OwnServer> {
    const server = await ownServer(...settings)
    servers.push(server)
    return server
  }

  async function ioredis(port: number, options: object = {}): Promise<Redis> {
    const client = new Redis({
      port,
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
      ...options,
    })
    client.on('error', () => undefined)
    ends.push(() => client.disconnect())
    await client.connect()
    return client
  }

  async function nodeRedis(port: number) {
    const client = createClient({
      disableOfflineQueue: true,
      socket: { port, reconnectStrategy: 20 },
    })
    client.on('error', () => undefined)
    ends.push(() => client.destroy())
    await client.connect()
    return client
  }

  const CLIENTS: [string, (port: number) => Promise<RedisFeedClient>][] = [
    ['ioredis', (port) => ioredis(port)],
    ['node-redis', nodeRedis],
  ]

  const until = (works: () => Promise<unknown>) =>
    vi.waitFor(works, { timeout: SOON_MS, interval: 50 })
  const soon = (isSo: () => boolean | Promise<boolean>) => vi.waitUntil(isSo, { timeout: SOON_MS })

  const infoOf = async (admin: Redis, field: string) =>
    Number(new RegExp(`${field}:(\\d+)`).exec(await admin.info())?.[1])

  interface Channel {
    readonly settled: Promise<string>
    readonly wakes: () => number
    readonly stop: () => void
  }

  function started(start: (wake: () => void, signal: AbortSignal) => Promise<void>): Channel {
    const stop = new AbortController()
    ends.push(() => stop.abort())
    let wakes = 0
    const over = start(() => wakes++, stop.signal)
    const settled = over.then(
      () => 'resolved',
      (error: unknown) => `rejected: ${(error as Error).message}`,
    )
    return { settled, wakes: () => wakes, stop: () => stop.abort() }
  }

  const watch = (feed: RevocationFeed, from: Position) =>
    started((wake, signal) => feed.watch?.(from, wake, signal) ?? Promise.resolve())
  const listen = (channel: WakeupChannel) =>
    started((wake, signal) => channel.subscribe(wake, signal))

  describe.each(CLIENTS)('over %s', (_, connected) => {
    it('abandons a watch that hangs on a stopped server, and starts a new one', async () => {
      const server = await serve()
      const admin = await ioredis(server.port)
      const pid = await infoOf(admin, 'process_id')
      const client = await connected(server.port)
      const feed = redisFeed(client)
      await append(feed, 1)
      const channels = [watch(feed, headAt(1)), listen(redisWakeups(client))]
      await soon(() => channels[1]?.wakes() === 1)
      await soon(async () => (await infoOf(admin, 'blocked_clients')) === 1)
      process.kill(pid, 'SIGSTOP')
      const hung = feed.head(call).catch(() => null)
      const during = watch(feed, headAt(1))
      const hows = await Promise.all([...channels, during].map(({ settled }) => settled))
      // The feed's own timeout ends it, not the client's. Commands that ioredis had not sent when its socket timed out
      // fail with the last of these.
      const patience = /^rejected: .*(stopped responding|Socket timeout|Connection is closed)/
      for (const how of hows) expect(how).toMatch(patience)
      process.kill(pid, 'SIGCONT')
      await hung
      const again = [watch(feed, headAt(1)), listen(redisWakeups(client))]
      await until(() => append(feed, 2))
      await soon(() => again.every(({ wakes }) => wakes() > 0))
      for (const { stop } of again) stop()
      for (const { settled } of again) expect(await settled).toBe('resolved')
      await soon(async () => (await infoOf(admin, 'connected_clients')) === 2)
    })

    it('notices that the connection of a watch was cut', async () => {
      const server = await serve()
      const admin = await ioredis(server.port)
      const client = await connected(server.port)
      const feed = redisFeed(client)
      await append(feed, 1)
      for (const type of ['normal', 'pubsub']) {
        const channel = type === 'normal' ? watch(feed, headAt(1)) : listen(redisWakeups(client))
        const isOurs = (line: string) => /cmd=(xread|subscribe)/.test(line)
        const lines = async () =>
          String(await admin.client('LIST'))
            .split('\n')
            .filter(isOurs)
        await soon(async () => (await lines()).length === 1)
        const [line = ''] = await lines()
        await admin.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '')
        expect(await channel.settled).toMatch(/^rejected/)
      }
      const again = watch(feed, headAt(1))
      await append(feed, 2)
      await soon(() => again.wakes() > 0)
    })

    it('rejects while the server is down, and has everything when it is back', async () => {
      const server = await serve()
      const feed = redisFeed(await connected(server.port))
      await feed.open(call.signal)
      expect(feed.info.durability).toBe('fsync')
      for (const seq of [1, 2, 3]) await append(feed, seq)
      const watching = watch(feed, headAt(3))
      await server.kill()
      expect(await watching.settled).toMatch(/^rejected/)
      await expect(feed.head(call)).rejects.toThrow()
      await expect(feed.read({ epoch: '', seq: 0 }, 1, call)).rejects.toThrow()
      expect(await watch(feed, headAt(3)).settled).toMatch(/^rejected/)
      await server.start()
      await until(() => feed.head(call))
      expect(await feed.head(call)).toEqual(headAt(3))
      const { events } = await feed.read({ epoch: headAt(3).epoch, seq: 0 }, 9, call)
      expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3])
      const again = watch(feed, headAt(3))
      await append(feed, 4)
      await soon(() => again.wakes() > 0)
    })

    it('leaves no connection of a thousand watches, regardless of how they end', async () => {
      const server = await serve()
      const admin = await ioredis(server.port)
      const feed = redisFeed(await connected(server.port))
      await append(feed, 1)
      const signal = new AbortController().signal
      const listeners = vi.spyOn(signal, 'addEventListener')
      const removed = vi.spyOn(signal, 'removeEventListener')
      for (let round = 0; round < 100; round++) {
        const watches = Array.from({ length: 10 }, (_, at) =>
          watch(feed, at % 2 ? headAt(1) : NOWHERE),
        )
        if (round % 4 === 0) await soon(() => watches.some(({ wakes }) => wakes() > 0))
        for (const { stop } of watches) stop()
        for (const { settled } of watches) expect(await settled).toBe('resolved')
      }
      await server.kill()
      for (let round = 0; round < 50; round++)
        await expect(feed.watch?.(NOWHERE, () => {}, signal)).rejects.toThrow()
      expect(removed.mock.calls.length).toBe(listeners.mock.calls.length)
      await server.start()
      await until(async () => expect(await infoOf(admin, 'connected_clients')).toBe(2))
    })
  })

  it('is not blocked by a network that drops everything', async () => {
    const server = await serve()
    const proxy = await tcpProxy('127.0.0.1', server.port)
    ends.push(() => void proxy.close())
    const feed = redisFeed(await ioredis(proxy.port))
    await append(feed, 1)
    const watching = watch(feed, headAt(1))
    const direct = await ioredis(server.port)
    await soon(async () => (await infoOf(direct, 'blocked_clients')) === 1)
    proxy.blackHole()
    expect(await watching.settled).toBe('rejected: redis stopped responding')
    const stopped = watch(feed, headAt(1))
    await sleep(50)
    stopped.stop()
    expect(await stopped.settled).toBe('resolved')
    proxy.heal()
    const again = watch(feed, headAt(1))
    await until(() => append(feed, 2))
    await soon(() => again.wakes() > 0)
  })

  it('rejects a server that may evict keys, unless configured to allow it', async () => {
    const client = await ioredis((await serve('--maxmemory-policy', 'allkeys-lru')).port)
    await expect(redisFeed(client).open(call.signal)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/maxmemory-policy is allkeys-lru.*noeviction.*allowEviction/),
    })
    await redisFeed(client, { allowEviction: true }).open(call.signal)
  })

  it('reports what an append survives, and warns once when eviction is unknown', async () => {
    const server = await serve()
    const admin = await ioredis(server.port)
    const durability = async (client: RedisFeedClient) => {
      const feed = redisFeed(client)
      expect(feed.info.durability).toBe('unknown')
      await feed.open(call.signal)
      return feed.info.durability
    }
    expect(await durability(admin)).toBe('fsync')
    expect(await durability(await nodeRedis(server.port))).toBe('fsync')
    await admin.config('SET', 'appendfsync', 'everysec')
    expect(await durability(admin)).toBe('process')
    await admin.call('ACL', ['SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-config'])
    const user = { username: 'app', password: 'secret', enableReadyCheck: false }
    expect(await durability(await ioredis(server.port, user))).toBe('unknown')
    await admin.config('SET', 'appendonly', 'no')
    expect(await durability(await ioredis(server.port, user))).toBe('process')
    await admin.call('ACL', ['SETUSER', 'app', '-info'])
    const codes: unknown[] = []
    const onWarning = (warning: Error) => {
      codes.push((warning as Error & { code?: unknown }).code)
    }
    process.on('warning', onWarning)
    const blind = await ioredis(server.port, user)
    expect(await durability(blind)).toBe('unknown')
    expect(await durability(blind)).toBe('unknown')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', onWarning)
    expect(codes).toEqual(['WATCHWORD_REDIS_CONFIG'])
  })

  it('never reads from a replica', async () => {
    const primary = await serve('--repl-diskless-sync-delay', '0')
    const admin = await ioredis(primary.port)
    await append(redisFeed(admin), 1)
    const replica = await ioredis((await serve('--replicaof', `127.0.0.1 ${primary.port}`)).port)
    await until(async () => expect(await replica.dbsize()).toBeGreaterThan(0))
    const feed = redisFeed(replica)
    await expect(feed.open(call.signal)).rejects.toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
    await expect(feed.head(call)).rejects.toThrow('READONLY')
    await expect(feed.read(headAt(0), 1, call)).rejects.toThrow('READONLY')
    await replica.replicaof('NO', 'ONE')
    await feed.open(call.signal)
    expect(await feed.head(call)).toEqual(headAt(1))
  })

  it('still appends, seals and trims when memory is full, and saves no snapshot', async () => {
    const client = await ioredis((await serve()).port)
    const feed = redisFeed(client)
    await append(feed, 1)
    await client.config('SET', 'maxmemory', '1')
    await append(feed, 2)
    expect(await feed.touch?.(headAt(2), { ...headAt(2), beaconAt: 9 }, call)).toBe(true)
    expect(await feed.head(call)).toEqual({ ...headAt(2), beaconAt: 9 })
    await feed.trim?.(1, call)
    async function* chunks() {
      yield new Uint8Array(9)
    }
    await expect(feed.snapshot?.save(chunks(), call.signal)).rejects.toThrow('OOM')
    expect((await client.keys('*')).length).toBe(2)
  })

  it('continues after the server forgot its scripts', async () => {
    const client = await ioredis((await serve()).port)
    const feed = redisFeed(client)
    await append(feed, 1)
    await client.script('FLUSH')
    await append(feed, 2)
    expect(await feed.head(call)).toEqual(headAt(2))
  })
})
