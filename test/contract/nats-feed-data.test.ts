/** How the feed handles streams that others have created, deleted, rolled back or published to. */
import { type JetStreamManager, jetstream, type StreamConfig } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Position, RevocationFeed, SealedEvent, SealedHead } from '../../src/feed/feed.js'
import { type Cut, encodeFrame } from '../../src/feed/nats/frame.js'
import { natsFeed } from '../../src/feed/nats.js'
import { serverUrl, uniqueName } from './servers.js'

const EPOCH = 'epoch-of-22-characters'
const OTHER = 'another-22-char-epoch-'
const NOWHERE: Position = { epoch: '', seq: 0, link: new Uint8Array(16) }
const call = { signal: new AbortController().signal, deadlineMs: 1000 }
const url = await serverUrl('nats')

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const eventAt = (seq: number, life = ''): SealedEvent => ({ seq, bytes: bytesOf(`e${seq}${life}`) })

function headAt(seq: number, life = '', epoch = EPOCH): SealedHead {
  const link = bytesOf(`link of ${seq}${life}`.padEnd(16).slice(0, 16))
  return { epoch, seq, link, floor: 1, beaconAt: 1000 + seq, bytes: bytesOf(`head ${seq}${life}`) }
}

const eventsTo = (upTo: number, first = 1, life = ''): SealedEvent[] =>
  Array.from({ length: upTo - first + 1 }, (_, at) => eventAt(first + at, life))

describe.skipIf(url === undefined)('the streams of the nats feed', () => {
  let connection: NatsConnection
  let manager: JetStreamManager
  let prefix: string
  let feed: RevocationFeed
  const stops: AbortController[] = []

  beforeAll(async () => {
    connection = await connect({ servers: url ?? '' })
    manager = await jetstream(connection).jetstreamManager()
  })
  beforeEach(async () => {
    prefix = uniqueName()
    feed = open()
    await feed.open(call.signal)
  })
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop.abort()
    await feed.close()
    for (const name of ['LOG', 'SNAP'])
      await manager.streams.delete(`${prefix}_${name}`).catch(() => false)
  })
  afterAll(() => connection.close())

  const open = (replicas = 1) => natsFeed(jetstream(connection), { prefix, replicas })
  /** Another instance, which has read nothing yet. */
  const fresh = async () => {
    const other = open()
    await other.open(call.signal)
    return other
  }
  /** Another instance, each of whose requests of this kind first waits. */
  const delayed = async (
    kind: 'getMessage' | 'info',
    before: () => Promise<unknown> | undefined,
  ) => {
    const { streams, consumers } = manager
    const value = async (...args: readonly unknown[]) => {
      await before()
      return Reflect.apply(streams[kind], streams, args)
    }
    const jetstreamManager = async () => ({
      consumers,
      streams: Object.create(streams, { [kind]: { value } }),
    })
    const js = Object.create(jetstream(connection), {
      jetstreamManager: { value: jetstreamManager },
    })
    const other = natsFeed(js, { prefix })
    await other.open(call.signal)
    return other
  }
  const publish = async (bytes: Uint8Array, subject = 'log') =>
    (await jetstream(connection).publish(`${prefix}.${subject}`, bytes)).seq
  const forge = (
    head: SealedHead,
    events: readonly SealedEvent[] = [],
    cuts: readonly Cut[] = [],
  ) => publish(encodeFrame({ head, events, cuts }))
  const state = async (name = 'LOG') => (await manager.streams.info(`${prefix}_${name}`)).state
  const consumers = async () =>
    (await manager.streams.info(`${prefix}_LOG`)).state.consumer_count ?? 0

  async function grow(
    from: Position | null,
    upTo: number,
    life = '',
    epoch = EPOCH,
  ): Promise<SealedHead> {
    const first = from?.epoch === epoch ? from.seq + 1 : 1
    const next = headAt(upTo, life, epoch)
    const result = await feed.append(from, eventsTo(upTo, first, life), next, call)
    expect(result).toEqual({ ok: true })
    return next
  }

  /** That many appends of one event each. */
  async function growSingly(upTo: number): Promise<SealedHead> {
    let head = await grow(null, 1)
    while (head.seq < upTo) head = await grow(head, head.seq + 1)
    return head
  }

  async function read(after: number, limit = 100, by = feed): Promise<string[]> {
    const { events } = await by.read({ epoch: EPOCH, seq: after }, limit, call)
    return events.map(({ seq, bytes }) => {
      const text = Buffer.from(bytes).toString()
      return text.startsWith(`e${seq}`) ? text : `${seq}: ${text}`
    })
  }

  const names = (upTo: number, first = 1, life = '') =>
    eventsTo(upTo, first, life).map(({ bytes }) => Buffer.from(bytes).toString())

  /** A watch, with the events it received, and how it ended. */
  function watching(from: Position) {
    const stop = new AbortController()
    stops.push(stop)
    const wakes: (readonly SealedEvent[] | undefined)[] = []
    const over = feed.watch?.(from, (hint) => wakes.push(hint?.events), stop.signal)
    const settled = (over ?? Promise.resolve()).then(
      () => 'resolved',
      (error: unknown) => `rejected: ${String(error)}`,
    )
    return { wakes, settled, stop: () => stop.abort() }
  }

  describe('open', () => {
    it.each<[string, Partial<StreamConfig>]>([
      ['max_age', { max_age: 60e9 }],
      ['max_msgs', { max_msgs: 1000 }],
      ['max_bytes', { max_bytes: 1_000_000 }],
      ['max_msgs_per_subject', { max_msgs_per_subject: 10 }],
      ['deny_delete', { deny_delete: true }],
      ['deny_purge', { deny_purge: true }],
      ['allow_rollup_hdrs', { allow_rollup_hdrs: true }],
      ['storage', { storage: 'memory' as StreamConfig['storage'] }],
    ])('rejects a stream whose %s could lose events', async (field, config) => {
      await manager.streams.delete(`${prefix}_LOG`)
      await manager.streams.add({ name: `${prefix}_LOG`, subjects: [`${prefix}.log`], ...config })
      await expect(open().open(call.signal)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining(`expected ${field} to be`),
      })
    })

    it('rejects a stream with fewer replicas than configured', async () => {
      await expect(open(3).open(call.signal)).rejects.toThrow('num_replicas to be at least 3')
      expect(open(3).info.durability).toBe('quorum')
      expect(open().info.durability).toBe('unknown')
    })

    it('rejects unknown options and an invalid client', () => {
      const js = jetstream(connection)
      for (const options of [{ prefix: 'a.b' }, { prefix: '' }, { replicas: 0 }, { more: 1 }])
        expect(() => natsFeed(js, options)).toThrow(/expected|unknown/)
      expect(() => natsFeed(connection as never)).toThrow('js: expected')
    })
  })

  describe('a message from another client', () => {
    it('is skipped when it is not a frame, at the end and in between', async () => {
      const head = await growSingly(3)
      for (const junk of ['', 'junk', 'wwf', 'wwf\u0001 and so on'.repeat(9)])
        await publish(bytesOf(junk))
      expect(await feed.head(call)).toEqual(head)
      expect(await read(0)).toEqual(names(3))
      expect(await feed.touch?.(head, { ...head, beaconAt: 5 }, call)).toBe(true)
      const next = await grow(head, 5)
      expect(await read(0, 100, await fresh())).toEqual(names(5))
      expect(await feed.head(call)).toEqual(next)
    })

    it('is skipped in any number', async () => {
      const head = await grow(null, 2)
      await Promise.all(Array.from({ length: 1200 }, () => publish(bytesOf('junk'))))
      expect(await feed.head(call)).toEqual(head)
      await publish(bytesOf('junk'))
      expect(await feed.head(call)).toEqual(head)
    })

    it('is the head when it is a frame, and the log continues from there', async () => {
      const head = await growSingly(6)
      const forged = headAt(900, ' forged')
      await forge(forged, [eventAt(900, ' forged')])
      expect(await feed.head(call)).toEqual(forged)
      expect(await feed.append(head, [eventAt(7)], headAt(7), call)).toEqual({
        ok: false,
        head: forged,
      })
      expect(await feed.append(forged, [], head, call)).toEqual({ ok: true })
      expect(await feed.head(call)).toEqual(head)
      expect(await read(4)).toEqual([...names(6, 5), 'e900 forged'].slice(0, 2))
      await grow(head, 8)
      expect(await read(0)).toEqual(names(8))
      expect(await read(6)).toEqual(names(8, 7))
    })

    it('does not hide earlier events, for any content', async () => {
      const head = await growSingly(10)
      const cuts = [{ at: 1000, seq: 0 }]
      for (const low of [headAt(5, ' forged'), headAt(3, ' forged')]) {
        await forge(low, [], cuts)
        // A node that was behind finds every event, so that it can correct the head.
        expect(await read(8)).toEqual(names(10, 9))
        expect(await feed.append(low, [], head, call)).toEqual({ ok: true })
        expect(await read(0)).toEqual(names(10))
      }
      await forge(headAt(6, ' forged'), [eventAt(6, ' forged')], cuts)
      await feed.append(headAt(6, ' forged'), [], head, call)
      await grow(head, 11)
      // The authentic one is among the candidates of the next read.
      const first = await read(5)
      const again = await read(5)
      expect([...first, ...again]).toContain('e6')
      expect(again).toContain('e6 forged')
      expect(await read(6)).toEqual(names(11, 7))
    })

    it('does not displace the authentic event, even among hundreds of candidates', async () => {
      const head = await grow(null, 5)
      const flood = headAt(505, ' forged')
      await forge(flood, eventsTo(505, 6, ' forged'))
      await feed.append(flood, [], head, call)
      await grow(head, 6)
      expect((await read(5, 50))[0]).toBe('e6')
    })

    it('in a snapshot makes the load return the last complete one', async () => {
      const save = async (chunks: readonly string[]) =>
        feed.snapshot?.save(
          (async function* () {
            for (const chunk of chunks) yield bytesOf(chunk)
          })(),
          call.signal,
        )
      const load = async () => {
        const found: string[] = []
        for await (const chunk of feed.snapshot?.load(call.signal) ?? [])
          found.push(Buffer.from(chunk).toString())
        return found
      }
      await save(['a', 'b'])
      await publish(bytesOf('junk'), 'snapshot')
      await publish(bytesOf(`${'x'.repeat(22)} 7`), 'snapshot')
      expect(await load()).toEqual(['a', 'b'])
      await publish(bytesOf('c'), `snapshot.${'y'.repeat(22)}`)
      await save(['d'])
      expect(await load()).toEqual(['d'])
      expect((await state('SNAP')).messages).toBe(2)
      await save([])
      expect(await load()).toEqual([])
    })
  })

  describe('a log that was rolled back', () => {
    it('returns the events appended since, page by page, to a new reader', async () => {
      const old = await growSingly(9)
      const back = headAt(4)
      expect(await feed.append(old, [], back, call)).toEqual({ ok: true })
      let head: SealedHead = back
      for (const upTo of [6, 7, 10]) head = await grow(head, upTo, ' new')
      for (const by of [await fresh(), feed]) {
        const found: string[] = []
        while (found.length < 10) found.push(...(await read(found.length, 2, by)))
        expect(found).toEqual([...names(4), ...names(10, 5, ' new')])
      }
    })

    it('forgets the rollback when its events are trimmed', async () => {
      const old = await grow(null, 300)
      await feed.append(old, [], headAt(4), call)
      let head = headAt(4)
      for (const upTo of [200, 300, 400]) head = await grow(head, upTo, ' new')
      await feed.trim?.(350, call)
      await grow(head, 401, ' new')
      expect(await read(0)).toEqual(names(401, 351, ' new'))
      expect((await state()).messages).toBeLessThan(4)
    })
  })

  describe('the content of the stream', () => {
    it('has one message for all touches', async () => {
      const head = await growSingly(3)
      for (let at = 1; at <= 20; at++)
        expect(await feed.touch?.(head, { ...head, beaconAt: at }, call)).toBe(true)
      await vi.waitFor(async () => expect((await state()).messages).toBe(4))
      expect(await read(0)).toEqual(names(3))
      expect(await feed.head(call)).toEqual({ ...head, beaconAt: 20 })
    })

    it('has nothing that was trimmed, and nothing of an old epoch', async () => {
      const head = await growSingly(300)
      await feed.trim?.(290, call)
      // Up to the distance of two marks in the offset index.
      expect((await state()).messages).toBeLessThan(80)
      expect(await read(0)).toEqual(names(300, 291))
      await grow(head, 2, '', OTHER)
      expect((await state()).messages).toBe(1)
      expect(await read(0)).toEqual([])
    })

    it('has no consumer left after watches and reads', async () => {
      const head = await growSingly(40)
      for (let round = 0; round < 20; round++) {
        const watches = Array.from({ length: 10 }, () => watching(round % 2 ? head : NOWHERE))
        if (round % 4 === 0) await vi.waitUntil(() => watches.some(({ wakes }) => wakes.length > 0))
        for (const { stop } of watches) stop()
        for (const { settled } of watches) expect(await settled).toBe('resolved')
        await read(round)
      }
      await vi.waitFor(async () => expect(await consumers()).toBe(0), { timeout: 10_000 })
    })

    it('determines the floor after an external purge', async () => {
      await growSingly(9)
      await manager.streams.purge(`${prefix}_LOG`, { seq: 6 })
      const page = await feed.read({ epoch: EPOCH, seq: 2 }, 100, call)
      expect(page.events.map(({ seq }) => seq)).toEqual([6, 7, 8, 9])
      expect(page.floor).toBe(6)
      expect(await feed.head(call)).toEqual({ ...headAt(9), floor: 6 })
      await grow(headAt(9), 10)
      expect(await feed.head(call)).toEqual({ ...headAt(10), floor: 6 })
      await manager.streams.purge(`${prefix}_LOG`, { keep: 1 })
      expect((await feed.head(call))?.floor).toBe(10)
    })

    it('determines the events after a hole that was deleted from its middle', async () => {
      await growSingly(9)
      for (const seq of [4, 5, 6]) await manager.streams.deleteMessage(`${prefix}_LOG`, seq)
      expect(await read(1)).toEqual(['e2', 'e3', ...names(9, 7)])
      expect(await read(3)).toEqual(names(9, 7))
      expect(await read(3, 2)).toEqual(names(8, 7))
      await manager.streams.deleteMessage(`${prefix}_LOG`, 9)
      expect((await feed.head(call))?.seq).toBe(8)
      await grow(headAt(8), 9, ' new')
      expect(await read(7)).toEqual(['e8', 'e9 new'])
    })
  })

  describe('a stream that was deleted', () => {
    it('has no head, accepts no touch, and is created again by an append', async () => {
      const head = await growSingly(4)
      await read(0)
      await manager.streams.delete(`${prefix}_LOG`)
      expect(await feed.head(call)).toBeNull()
      expect(await read(0)).toEqual([])
      expect(await feed.touch?.(head, head, call)).toBe(false)
      await feed.trim?.(2, call)
      expect(await feed.append(head, [eventAt(5)], headAt(5), call)).toEqual({
        ok: false,
        head: null,
      })
      const anew = await grow(null, 7, ' new', OTHER)
      expect(await feed.head(call)).toEqual(anew)
    })

    it('ends the watch at once, and another one of the same length is not taken for it', async () => {
      const head = await growSingly(4)
      const watch = watching(head)
      await vi.waitUntil(async () => (await consumers()) === 1)
      await manager.streams.delete(`${prefix}_LOG`)
      expect(await watch.settled).toMatch(/^rejected/)
      expect(await watching(head).settled).toMatch(/^rejected/)
      let anew = await grow(null, 1, ' new')
      for (let seq = 2; seq <= 4; seq++) anew = await grow(anew, seq, ' new')
      expect(await feed.head(call)).toEqual(anew)
      expect(await read(0)).toEqual(names(4, 1, ' new'))
      expect(await read(2)).toEqual(names(4, 3, ' new'))
      const again = watching(head)
      await vi.waitUntil(() => again.wakes.length > 0)
    })

    it('is created again with a first event that wakes a waiting watch', async () => {
      const watch = watching(NOWHERE)
      await vi.waitUntil(async () => (await consumers()) === 1)
      await grow(null, 2)
      await vi.waitUntil(() => watch.wakes.length === 1)
      expect(watch.wakes[0]).toEqual(eventsTo(2))
    })
  })

  it('is read again when the message was superseded during the read', async () => {
    const old = await growSingly(9)
    const back = headAt(4)
    await feed.append(old, [], back, call)
    let meanwhile: (() => Promise<unknown>) | undefined
    const slow = await delayed('getMessage', () => meanwhile?.())
    meanwhile = async () => {
      meanwhile = undefined
      await grow(back, 5, ' new')
      await vi.waitFor(async () => expect((await state()).messages).toBe(10))
    }
    expect(await slow.head(call)).toEqual(headAt(5, ' new'))
  })

  it('accepts no append based on the state before it was rolled back and refilled', async () => {
    const old = await growSingly(3)
    let meanwhile: (() => Promise<unknown>) | undefined
    const slow = await delayed('info', () => meanwhile?.())
    let anew: SealedHead | undefined
    meanwhile = async () => {
      meanwhile = undefined
      // By then the server has replied to the requests sent along with it.
      await connection.flush()
      await manager.streams.delete(`${prefix}_LOG`)
      for (let seq = 1; seq <= 3; seq++) anew = await grow(anew ?? null, seq, ' new')
    }
    const result = await slow.append(old, [eventAt(4)], headAt(4), call)
    expect(result).toEqual({ ok: false, head: anew })
    expect(anew).toEqual(headAt(3, ' new'))
    expect(await slow.head(call)).toEqual(anew)
  })

  it('wakes no watch for a touch or junk', async () => {
    const head = await growSingly(3)
    const watch = watching(head)
    await vi.waitUntil(async () => (await consumers()) === 1)
    for (let at = 1; at <= 5; at++) await feed.touch?.(head, { ...head, beaconAt: at }, call)
    await publish(bytesOf('junk'))
    await grow(head, 4)
    await vi.waitUntil(() => watch.wakes.length > 0)
    expect(watch.wakes).toEqual([[eventAt(4)]])
  })

  it('rejects an append that is longer than the server accepts, and says so', async () => {
    const events = Array.from({ length: 30 }, (_, at) => ({
      seq: at + 1,
      bytes: new Uint8Array(40_960),
    }))
    const appending = feed.append(null, events, headAt(30), call)
    await expect(appending).rejects.toMatchObject({
      code: 'ERR_FEED_UNAVAILABLE',
      message: expect.stringMatching(/^append: expected at most the server's max_payload/),
    })
    expect(await feed.head(call)).toBeNull()
  })

  it('returns a thousand single events in one page, and the rest in the next', async () => {
    const head = await growSingly(1500)
    const other = await fresh()
    expect(await read(0, 1000, other)).toEqual(names(1000))
    expect(await read(1000, 1000, other)).toEqual(names(1500, 1001))
    expect(await read(head.seq, 1000, other)).toEqual([])
  })
})
