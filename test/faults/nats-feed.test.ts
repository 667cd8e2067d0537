/** How the NATS feed behaves when its server stops, dies, loses its data, or does not reply. */
import { setTimeout } from 'node:timers/promises'
import { type JetStreamClient, jetstream } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Position, RevocationFeed, SealedHead } from '../../src/feed/feed.js'
import { natsFeed } from '../../src/feed/nats.js'
import { hasNatsServer, type OwnNatsServer, ownNatsServer } from '../contract/nats-server.js'
import { tcpProxy } from '../support/tcp-proxy.js'

const EPOCH = 'epoch-of-22-characters'
const OTHER = 'another-22-char-epoch-'
const SOON_MS = 20_000
const call = { signal: new AbortController().signal, deadlineMs: 1000 }

function headAt(seq: number, life = 0, epoch = EPOCH): SealedHead {
  const link = new Uint8Array(16).fill((seq % 128) + life)
  const bytes = new Uint8Array([seq % 256, life])
  return { epoch, seq, link, floor: 1, beaconAt: seq, bytes }
}

async function append(
  feed: RevocationFeed,
  seq: number,
  life = 0,
  epoch = EPOCH,
): Promise<SealedHead> {
  const next = headAt(seq, life, epoch)
  const expected = seq === 1 ? null : headAt(seq - 1, life, epoch)
  const result = await feed.append(expected, [{ seq, bytes: next.bytes }], next, call)
  expect(result).toEqual({ ok: true })
  return next
}

async function read(feed: RevocationFeed, seq = 0, epoch = EPOCH): Promise<number[][]> {
  const { events } = await feed.read({ epoch, seq }, 1000, call)
  return events.map((event) => [event.seq, event.bytes[1] ?? -1])
}

describe.skipIf(!hasNatsServer())('the nats feed, on a separate server', () => {
  const servers: OwnNatsServer[] = []
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const server of servers) server.thaw()
    for (const end of ends.splice(0)) await end()
    for (const server of servers.splice(0)) await server.remove()
  })

  async function serve(): Promise<OwnNatsServer> {
    const server = await ownNatsServer()
    servers.push(server)
    return server
  }

  async function connected(port: number): Promise<NatsConnection> {
    const connection = await connect({
      port,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 20,
      reconnectJitter: 10,
    })
    ends.push(() => connection.close())
    return connection
  }

  async function opened(js: JetStreamClient): Promise<RevocationFeed> {
    const feed = natsFeed(js)
    await feed.open(call.signal)
    return feed
  }

  const feedOn = async (port: number) => opened(jetstream(await connected(port)))

  const until = (works: () => Promise<unknown>) =>
    vi.waitFor(works, { timeout: SOON_MS, interval: 50 })

  function watching(feed: RevocationFeed, from: Position) {
    const stop = new AbortController()
    ends.push(() => stop.abort())
    let wakes = 0
    const over = feed.watch?.(from, () => wakes++, stop.signal) ?? Promise.resolve()
    const settled = over.then(
      () => 'resolved',
      (error: unknown) => `rejected: ${String(error)}`,
    )
    return { settled, wakes: () => wakes, stop: () => stop.abort() }
  }

  async function consumers(connection: NatsConnection): Promise<number> {
    const manager = await jetstream(connection).jetstreamManager()
    return (await manager.streams.info('watchword_LOG')).state.consumer_count ?? 0
  }

  /** A watch that has been started. */
  async function watchingFor(server: OwnNatsServer, feed: RevocationFeed, from: Position) {
    const observer = await connected(server.port)
    const watch = watching(feed, from)
    await vi.waitUntil(async () => (await consumers(observer)) > 0, { timeout: SOON_MS })
    return watch
  }

  // Longer than the client waits for a heartbeat from a server that has sent everything already.
  it('waits for a reader that takes seconds for a chunk of a snapshot', async () => {
    const server = await serve()
    const feed = await feedOn(server.port)
    await append(feed, 1)
    const chunks = Array.from({ length: 300 }, (_, i) => new Uint8Array(20_000).fill(i))
    const { signal } = call
    await feed.snapshot?.save(
      (async function* () {
        yield* chunks
      })(),
      signal,
    )
    const pauses = new Set([1, 201, 299])
    let count = 0
    for await (const chunk of feed.snapshot?.load(signal) ?? []) {
      expect(Buffer.compare(chunk, chunks[count] ?? new Uint8Array())).toBe(0)
      if (pauses.has(count++)) await setTimeout(4000)
    }
    expect(count).toBe(chunks.length)
  })

  it('has every acknowledged event after the server is killed and restarted', async () => {
    const server = await serve()
    const feed = await feedOn(server.port)
    for (const seq of [1, 2, 3]) await append(feed, seq)
    const watch = await watchingFor(server, feed, headAt(3))
    await server.kill()
    expect(await watch.settled).toMatch(/^rejected/)
    await server.start()
    await until(() => feed.head(call))
    expect(await feed.head(call)).toEqual(headAt(3))
    expect(await read(feed)).toEqual([1, 2, 3].map((seq) => [seq, 0]))
    const again = watching(feed, headAt(3))
    await append(feed, 4)
    await vi.waitUntil(() => again.wakes() > 0, { timeout: SOON_MS })
  })

  it('abandons a watch that hangs on a stopped server, and starts a new one', async () => {
    const server = await serve()
    const feed = await feedOn(server.port)
    await append(feed, 1)
    const watch = await watchingFor(server, feed, headAt(1))
    const since = performance.now()
    server.freeze()
    const during = watching(feed, headAt(1))
    expect(await watch.settled).toMatch(/heartbeats_missed/)
    // Two to three heartbeats of one second each, instead of the client's timeout of a minute.
    expect(performance.now() - since).toBeLessThan(10_000)
    during.stop()
    expect(await during.settled).toBe('resolved')
    server.thaw()
    const again = watching(feed, headAt(1))
    await until(() => append(feed, 2))
    await vi.waitUntil(() => again.wakes() > 0, { timeout: SOON_MS })
  })

  it('abandons a watch on a network that drops everything, or is cut', async () => {
    const server = await serve()
    const proxy = await tcpProxy('127.0.0.1', server.port)
    ends.push(() => proxy.close())
    const feed = await feedOn(proxy.port)
    await append(feed, 1)
    const watch = await watchingFor(server, feed, headAt(1))
    proxy.blackHole()
    // Either the next message, or the reply to a request.
    expect(await watch.settled).toMatch(/heartbeats_missed|timeout/i)
    proxy.heal()
    await until(() => feed.head(call))
    const observer = await connected(server.port)
    const before = await consumers(observer)
    const second = watching(feed, headAt(1))
    await vi.waitUntil(async () => (await consumers(observer)) > before, { timeout: SOON_MS })
    proxy.cut()
    expect(await second.settled).toMatch(/disconnect/)
    proxy.heal()
    await until(() => append(feed, 2))
  })

  it('reports that a server lost its data, and continues there', async () => {
    const server = await serve()
    const feed = await feedOn(server.port)
    for (const seq of [1, 2, 3]) await append(feed, seq)
    expect(await read(feed)).toHaveLength(3)
    const watch = await watchingFor(server, feed, headAt(3))
    await server.kill()
    server.wipe()
    await server.start()
    expect(await watch.settled).toMatch(/^rejected/)
    await until(() => feed.head(call))
    expect(await feed.head(call)).toBeNull()
    expect(await feed.touch?.(headAt(3), headAt(3), call)).toBe(false)
    expect(await watching(feed, headAt(3)).settled).toMatch(/^rejected/)
    for (const seq of [1, 2, 3, 4]) await append(feed, seq, 1, OTHER)
    expect(await feed.head(call)).toEqual(headAt(4, 1, OTHER))
    expect(await read(feed)).toEqual([])
    expect(await read(feed, 0, OTHER)).toEqual([1, 2, 3, 4].map((seq) => [seq, 1]))
    const again = watching(feed, headAt(3))
    await vi.waitUntil(() => again.wakes() > 0, { timeout: SOON_MS })
  })

  it('detects that a server was restored from a copy and refilled to its earlier position', async () => {
    const server = await serve()
    const feed = await feedOn(server.port)
    for (const seq of [1, 2, 3]) await append(feed, seq)
    await server.kill()
    server.backUp()
    await server.start()
    await until(() => feed.head(call))
    for (const seq of [4, 5]) await append(feed, seq)
    expect(await read(feed)).toHaveLength(5)
    await server.kill()
    server.restore()
    await server.start()
    await until(() => feed.head(call))
    expect(await feed.head(call)).toEqual(headAt(3))
    const other = await feedOn(server.port)
    const next = headAt(4, 1)
    await other.append(headAt(3), [{ seq: 4, bytes: next.bytes }], next, call)
    await append(other, 5, 1)
    expect(await feed.head(call)).toEqual(headAt(5, 1))
    expect(await read(feed, 3)).toEqual([
      [4, 1],
      [5, 1],
    ])
    expect(await read(feed)).toEqual([1, 2, 3, 4, 5].map((seq) => [seq, seq > 3 ? 1 : 0]))
  })

  it('shows an append that took effect although its reply was lost', async () => {
    const server = await serve()
    const js = jetstream(await connected(server.port))
    let isLost = false
    const losing: JetStreamClient = Object.create(js, {
      publish: {
        value: async (...args: Parameters<JetStreamClient['publish']>) => {
          const result = await js.publish(...args)
          if (isLost) throw new Error('timeout')
          return result
        },
      },
    })
    const feed = await opened(losing)
    await append(feed, 1)
    isLost = true
    await expect(append(feed, 2)).rejects.toThrow('timeout')
    isLost = false
    expect(await feed.head(call)).toEqual(headAt(2))
    const repeated = feed.append(headAt(1), [{ seq: 2, bytes: headAt(2).bytes }], headAt(2), call)
    expect(await repeated).toEqual({ ok: false, head: headAt(2) })
    await append(feed, 3)
    expect(await read(feed)).toEqual([1, 2, 3].map((seq) => [seq, 0]))
  })

  it('leaves no consumer and no listener of many watches, however they end', async () => {
    const server = await serve()
    const connection = await connected(server.port)
    const feed = await opened(jetstream(connection))
    await append(feed, 1)
    const signal = new AbortController().signal
    const listeners = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    for (let round = 0; round < 10; round++) {
      const own = Array.from({ length: 10 }, () => watching(feed, headAt(1)))
      const shared = Array.from({ length: 5 }, () =>
        feed.watch?.(headAt(1), () => {}, signal).catch(() => undefined),
      )
      await vi.waitUntil(async () => (await consumers(connection)) >= 15, { timeout: SOON_MS })
      for (const { stop } of own) stop()
      for (const { settled } of own) expect(await settled).toBe('resolved')
      const manager = await jetstream(connection).jetstreamManager()
      for await (const { name } of manager.consumers.list('watchword_LOG'))
        await manager.consumers.delete('watchword_LOG', name).catch(() => false)
      await Promise.all(shared)
    }
    expect(listeners.mock.calls.length).toBe(50)
    expect(removed.mock.calls.length).toBe(50)
    await vi.waitFor(async () => expect(await consumers(connection)).toBe(0), { timeout: SOON_MS })
  })
})
