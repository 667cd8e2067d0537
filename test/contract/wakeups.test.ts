import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import Database from 'libsql'
import { createClient } from 'redis'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { Position, RevocationFeed, SealedHead, WatchHint } from '../../src/feed/feed.js'
import { memoryFeed } from '../../src/feed/memory.js'
import { type SqliteDatabase, sqliteFeed } from '../../src/feed/sqlite.js'
import {
  natsWakeups,
  redisWakeups,
  type WakeupChannel,
  withWakeups,
} from '../../src/feed/wakeups.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { serverUrl, uniqueName } from './servers.js'

const soon = (isSo: () => boolean | Promise<boolean>) => vi.waitUntil(isSo, { timeout: 20_000 })
const NOWHERE: Position = { epoch: '', seq: 0, link: new Uint8Array(16) }
const call = { signal: new AbortController().signal, deadlineMs: 1000 }

function headAt(seq: number, epoch = 'epoch-of-twenty-two-ch'): SealedHead {
  const link = new Uint8Array(16).fill(seq)
  return { epoch, seq, link, floor: 1, beaconAt: seq, bytes: new Uint8Array([seq]) }
}

/** A channel inside the process, whose traffic the test observes and creates. */
function openChannel() {
  const listeners = new Set<(message: Uint8Array) => void>()
  const sent: Uint8Array[] = []
  let end: (error?: Error) => void = () => {}
  const channel: WakeupChannel = {
    publish: (message) => {
      sent.push(message)
      for (const listener of listeners) listener(message)
    },
    subscribe: (onMessage, signal) => {
      listeners.add(onMessage)
      return new Promise<void>((resolve, reject) => {
        end = (error) => (error ? reject(error) : resolve())
        signal.addEventListener('abort', () => resolve())
      }).finally(() => listeners.delete(onMessage))
    },
  }
  return { channel, sent, listeners, end: (error?: Error) => end(error) }
}

describe('wake-ups over a feed', () => {
  it('are sent for every event of an append, with its bytes, and not for a rejected append', async () => {
    const { channel, sent } = openChannel()
    const feed = withWakeups(memoryFeed(), channel)
    const events = [1, 2].map((seq) => ({ seq, bytes: new Uint8Array(40_960).fill(seq) }))
    await feed.append(null, events, headAt(2), call)
    await feed.append(null, events, headAt(2), call)
    await feed.touch?.(headAt(2), headAt(2), call)
    expect(sent.map(({ length }) => length)).toEqual([40_969, 40_969])
    await feed.append(headAt(2), [], headAt(0, 'another-epoch-of-22-ch'), call)
    expect(sent.at(-1)).toEqual(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0]))
  })

  it('deliver the events to watches', async () => {
    const { channel, listeners } = openChannel()
    const log = memoryFeed()
    const hints: (WatchHint | undefined)[] = []
    // As a node whose feed has no channel of its own.
    const reader = withWakeups({ ...log, info: { ...log.info, push: false } }, channel)
    expect(reader.info).toEqual({ ...log.info, push: true })
    const stop = new AbortController()
    const over = reader.watch?.(NOWHERE, (hint) => hints.push(hint), stop.signal)
    await soon(() => listeners.size === 1)
    const events = [{ seq: 1, bytes: new Uint8Array([7, 8]) }]
    await withWakeups(log, channel).append(null, events, headAt(1), call)
    expect(hints).toEqual([{ events }])
    stop.abort()
    await over
    expect(listeners.size).toBe(0)
  })

  it('carry no events that are too long, and none whose number is not safe', async () => {
    const { channel, sent, listeners } = openChannel()
    const log = memoryFeed()
    const feed = withWakeups({ ...log, append: async () => ({ ok: true }) }, channel)
    const hints: (WatchHint | undefined)[] = []
    const stop = new AbortController()
    const over = feed.watch?.(NOWHERE, (hint) => hints.push(hint), stop.signal)
    await soon(() => listeners.size === 1)
    const events = [{ seq: 1, bytes: new Uint8Array(40_961) }]
    await feed.append(null, events, headAt(1), call)
    expect(sent).toEqual([new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 1])])
    await channel.publish(new Uint8Array(10).fill(255).fill(1, 0, 1))
    expect(hints).toEqual([undefined, undefined])
    stop.abort()
    await over
  })

  it('are dropped when the channel still delivers them after the watch has ended', async () => {
    let deliver: (message: Uint8Array) => void = () => {}
    const channel: WakeupChannel = {
      publish: () => undefined,
      subscribe: async (onMessage) => {
        deliver = onMessage
        await new Promise(() => {})
      },
    }
    let wakes = 0
    const stop = new AbortController()
    const over = withWakeups(memoryFeed(), channel).watch?.(NOWHERE, () => wakes++, stop.signal)
    deliver(new Uint8Array(0))
    stop.abort()
    await over
    deliver(new Uint8Array(0))
    expect(wakes).toBe(1)
  })

  it('keep the identity of the feed', async () => {
    const identity = async () => 'server:1'
    const feed = withWakeups({ ...memoryFeed(), identity }, openChannel().channel)
    expect(await feed.identity?.(call)).toBe('server:1')
  })

  it('may have any content: a malformed one only wakes the watch', async () => {
    const { channel, listeners } = openChannel()
    const feed = withWakeups(memoryFeed(), channel)
    const hints: (WatchHint | undefined)[] = []
    const stop = new AbortController()
    const over = feed.watch?.(NOWHERE, (hint) => hints.push(hint), stop.signal)
    await soon(() => listeners.size === 1)
    const messages = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Uint8Array.of(1, 0, 0, ...bytes)),
      fc.constant(new Uint8Array(40_970).fill(1)),
    )
    fc.assert(
      fc.property(messages, (message) => {
        hints.length = 0
        void channel.publish(message)
        const [hint] = hints
        expect(hints).toHaveLength(1)
        for (const { seq, bytes } of hint?.events ?? []) {
          expect(Number.isSafeInteger(seq)).toBe(true)
          expect(message[0]).toBe(1)
          expect(bytes).toEqual(message.slice(9))
          expect(bytes.length).toBeGreaterThan(0)
        }
      }),
    )
    stop.abort()
    await over
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('lost'))],
    [
      'throws',
      () => {
        throw new Error('lost')
      },
    ],
  ])('do not affect an append when the channel %s', async (_, publish) => {
    const feed = withWakeups(memoryFeed(), { ...openChannel().channel, publish })
    expect(await feed.append(null, [], headAt(0), call)).toEqual({ ok: true })
  })

  it('are dropped while too many are pending', async () => {
    let calls = 0
    const hanging = () => {
      calls++
      return new Promise<void>(() => {})
    }
    const feed = withWakeups(memoryFeed(), { ...openChannel().channel, publish: hanging })
    let at: SealedHead | null = null
    for (let seq = 1; seq <= 120; seq++) {
      const next = headAt(seq)
      expect(await feed.append(at, [{ seq, bytes: next.bytes }], next, call)).toEqual({ ok: true })
      at = next
    }
    expect(calls).toBe(100)
  })

  it('end when either channel ends, with its error, and stop the other', async () => {
    for (const first of ['channel', 'feed']) {
      const { channel, listeners, end } = openChannel()
      let lose: (error: Error) => void = () => {}
      let stopped = false
      const feed: RevocationFeed = {
        ...memoryFeed(),
        watch: (_, __, signal) =>
          new Promise((_, reject) => {
            lose = reject
            signal.addEventListener('abort', () => {
              stopped = true
            })
          }),
      }
      const over = withWakeups(feed, channel).watch?.(NOWHERE, () => {}, call.signal)
      await soon(() => listeners.size === 1)
      if (first === 'channel') end(new Error('lost'))
      else lose(new Error('lost'))
      await expect(over).rejects.toThrow('lost')
      expect(stopped).toBe(true)
      await soon(() => listeners.size === 0)
    }
  })

  it.each([
    [() => redisWakeups({} as never), /^client: /],
    [() => redisWakeups(fakeRedis, { channel: 'a b' }), /^channel: /],
    [() => redisWakeups(fakeRedis), /^subscriber: /],
    [() => redisWakeups(fakeRedis, { topic: 'a' } as object), /^unknown option 'topic'/],
    [() => natsWakeups(fakeNats, { subject: 'a.>' }), /^subject: /],
    [() => natsWakeups(fakeNats, { subject: 'a b' }), /^subject: /],
    [() => natsWakeups(fakeNats, { name: 'a' } as object), /^unknown option 'name'/],
  ])('reject invalid options %#', (make, message) => {
    expect(make).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(message),
      }),
    )
  })
})

const fakeRedis = { on: () => {}, callBuffer: async () => {}, disconnect: () => {} }
const fakeNats = {} as NatsConnection

const redisUrl = await serverUrl('redis')
const natsUrl = await serverUrl('nats')

/** The contract over a SQLite file without notifications, and one channel for both of its instances. */
function proveOver(channelOf: (name: string) => WakeupChannel): void {
  const made = new WeakMap<
    RevocationFeed,
    { database: SqliteDatabase & { close(): void }; name: string }
  >()
  const wrap = async (database: SqliteDatabase & { close(): void }, name: string) => {
    const log = sqliteFeed(database)
    await log.migrate()
    const feed = withWakeups(log, channelOf(name))
    made.set(feed, { database, name })
    return feed
  }
  feedContract({
    describe,
    it,
    createFeed: () => wrap(new Database(':memory:'), uniqueName()),
    createTwin: (feed) => {
      const of = made.get(feed)
      if (of === undefined) throw new Error('no feed of this test')
      return wrap(of.database, of.name)
    },
    destroyFeed: async (feed) => made.get(feed)?.database.close(),
  })
}

describe.skipIf(redisUrl === undefined)('wake-ups by redis', async () => {
  const io = new Redis(redisUrl ?? '', { lazyConnect: true, keyPrefix: 'the app:' })
  const resp2 = new Redis(redisUrl ?? '', { lazyConnect: true, protocol: 2 })
  const node = createClient({ url: redisUrl ?? '' })
  const nodeResp2 = createClient({ url: redisUrl ?? '', RESP: 2 })
  if (redisUrl !== undefined) await Promise.all([node.connect(), nodeResp2.connect()])
  afterAll(() => {
    for (const client of [io, resp2]) client.disconnect()
    for (const client of [node, nodeResp2]) if (client.isOpen) client.destroy()
  })

  describe.each([
    ['ioredis', io],
    ['node-redis', node],
  ])('with %s', (_, client) => {
    proveOver((channel) => redisWakeups(client, { channel }))
  })

  it('continue for longer than a ping, between all clients', async () => {
    const channel = uniqueName()
    const clients = [io, resp2, node, nodeResp2]
    const stop = new AbortController()
    const heard = clients.map(() => [] as string[])
    const ends = clients.map((client, index) =>
      redisWakeups(client, { channel }).subscribe((message) => {
        heard[index]?.push(Buffer.from(message).toString('hex'))
      }, stop.signal),
    )
    await soon(() => heard.every((messages) => messages.includes('')))
    await sleep(2500)
    for (const [index, client] of clients.entries())
      await redisWakeups(client, { channel }).publish(Uint8Array.of(0, 255, index))
    await soon(() => heard.every(({ length }) => length === 5))
    for (const messages of heard)
      expect(messages).toEqual(['', '00ff00', '00ff01', '00ff02', '00ff03'])
    stop.abort()
    await Promise.all(ends)
    await soon(async () => (await io.pubsub('NUMSUB', channel))[1] === 0)
  })
})

describe.skipIf(natsUrl === undefined)('wake-ups by nats', async () => {
  const connection = natsUrl === undefined ? undefined : await connect({ servers: natsUrl })
  afterAll(() => connection?.close())
  if (connection === undefined) return

  proveOver((subject) => natsWakeups(connection, { subject }))

  it('are asked for in place of the connection itself', () => {
    expect(() => withWakeups(memoryFeed(), connection as never)).toThrow(
      "channel: expected a push channel, such as natsWakeups(connection) of 'watchword/feed/wakeups', got a NATS connection",
    )
    expect(() => withWakeups(connection as never, openChannel().channel)).toThrow(
      "feed: expected a feed, such as natsFeed(jetstream(connection)) of 'watchword/feed/nats', got a NATS connection",
    )
  })

  it('end with the connection', async () => {
    const own = await connect({ servers: natsUrl ?? '' })
    let heard = 0
    const over = natsWakeups(own, { subject: uniqueName() }).subscribe(() => heard++, call.signal)
    await soon(() => heard === 1)
    await own.close()
    await over
    const again = natsWakeups(own).subscribe(() => {}, call.signal)
    await expect(again).rejects.toThrow()
  })
})
