/** How the feed handles data that others have trimmed, dropped, rolled back or added to. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Position, SealedEvent, SealedHead, WatchHint } from '../../src/feed/feed.js'
import { redisFeed } from '../../src/feed/redis.js'
import { hasRedisServer, ownServer } from './redis-server.js'

const KEY = '{watchword}:feed'
const LOG = `${KEY}:log`
const EPOCH = 'epoch-of-22-characters'
const call = { signal: new AbortController().signal, deadlineMs: 1000 }
const available = hasRedisServer()

const soon = (isSo: () => boolean | Promise<boolean>) => vi.waitUntil(isSo, { timeout: 20_000 })
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const eventAt = (seq: number, life = ''): SealedEvent => ({ seq, bytes: bytesOf(`e${seq}${life}`) })

function headAt(seq: number, life = '', epoch = EPOCH): SealedHead {
  const link = bytesOf(`link of ${seq}${life}`.padEnd(16).slice(0, 16))
  return { epoch, seq, link, floor: 1, beaconAt: 1000 + seq, bytes: bytesOf(`head ${seq}${life}`) }
}

describe.skipIf(!available)('the data of the redis feed', async () => {
  const server = available ? await ownServer('--appendfsync', 'no') : undefined
  const client = new Redis({ port: server?.port ?? 0, lazyConnect: true })
  const node = createClient({ url: server?.url ?? '' })
  node.on('error', () => undefined)
  if (server !== undefined) await node.connect()
  const feed = redisFeed(client)
  const stops: AbortController[] = []
  beforeEach(async () => {
    await client.flushall()
    await feed.open(call.signal)
  })
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop.abort()
    await soon(async () => !(await isWatched()))
  })
  afterAll(async () => {
    client.disconnect()
    node.destroy()
    await server?.remove()
  })

  async function grow(
    expect_: Position | null,
    upTo: number,
    life = '',
    epoch = EPOCH,
  ): Promise<SealedHead> {
    const first = expect_?.epoch === epoch ? expect_.seq + 1 : 1
    const events = Array.from({ length: upTo - first + 1 }, (_, at) => eventAt(first + at, life))
    const next = headAt(upTo, life, epoch)
    expect(await feed.append(expect_, events, next, call)).toEqual({ ok: true })
    return next
  }

  async function read(after: number, limit = 100): Promise<{ seqs: number[]; floor: number }> {
    const { events, floor } = await feed.read({ epoch: EPOCH, seq: after }, limit, call)
    return { seqs: events.map(({ seq }) => seq), floor }
  }

  const isWatched = async () => String(await client.client('LIST')).includes('cmd=xread')
  const no = async (): Promise<string> => (await client.hget(KEY, 'no')) ?? ''

  /** A watch, with the events it received, and whether it is over. */
  function watching(from: Position, watched: Redis | typeof node = client) {
    const stop = new AbortController()
    stops.push(stop)
    const hints: (WatchHint | undefined)[] = []
    let over = false
    void redisFeed(watched)
      .watch?.(from, (hint) => hints.push(hint), stop.signal)
      .finally(() => {
        over = true
      })
    const seqs = () => hints.flatMap((hint) => hint?.events?.map(({ seq }) => seq) ?? [])
    return { hints, seqs, isOver: () => over }
  }

  it('that was trimmed externally shows a floor, and never a gap', async () => {
    const head = await grow(null, 10)
    await client.xtrim(LOG, 'MINID', `${await no()}-6`)
    expect(await feed.head(call)).toEqual({ ...head, floor: 6 })
    expect(await read(2)).toEqual({ seqs: [6, 7, 8, 9, 10], floor: 6 })
    expect(await read(8)).toEqual({ seqs: [9, 10], floor: 6 })
    await client.xtrim(LOG, 'MAXLEN', 0)
    expect(await feed.head(call)).toEqual({ ...head, floor: 11 })
    expect(await read(2)).toEqual({ seqs: [], floor: 11 })
    await grow(head, 11)
    expect((await feed.head(call))?.floor).toBe(11)
    expect(await read(10)).toEqual({ seqs: [11], floor: 11 })
  })

  it('with a hole is read up to it, and then like a trimmed log', async () => {
    const head = await grow(null, 10)
    await client.xdel(LOG, `${await no()}-4`)
    expect(await read(0)).toEqual({ seqs: [1, 2, 3], floor: 1 })
    expect(await read(3)).toEqual({ seqs: [5, 6, 7, 8, 9, 10], floor: 5 })
    await client.xdel(LOG, `${await no()}-10`, `${await no()}-9`)
    expect(await read(7)).toEqual({ seqs: [8], floor: 1 })
    expect(await read(8)).toEqual({ seqs: [], floor: 11 })
    await grow(head, 12)
    expect((await feed.head(call))?.floor).toBe(11)
    expect(await read(0)).toEqual({ seqs: [11, 12], floor: 11 })
  })

  it.each([
    ['a leap', async () => `${await no()}-99`],
    ['an id from the server', async () => '*'],
    ['the highest possible id', async () => '18446744073709551615-18446744073709551615'],
  ])('above the head is junk: %s', async (_, id) => {
    const head = await grow(null, 3)
    await client.xadd(LOG, await id(), 'e', 'junk')
    expect(await read(0)).toEqual({ seqs: [1, 2, 3], floor: 1 })
    const next = await grow(head, 5)
    expect(await read(0)).toEqual({ seqs: [1, 2, 3, 4, 5], floor: 1 })
    expect(await client.xlen(LOG)).toBe(5)
    const added = await client.xadd(LOG, await id(), 'e', 'junk')
    await client.xdel(LOG, added ?? '')
    await grow(next, 6)
    expect(await read(3)).toEqual({ seqs: [4, 5, 6], floor: 1 })
  })

  it('above the head is removed, in any amount', async () => {
    const head = await grow(null, 2)
    const first = await no()
    const pipeline = client.pipeline()
    for (let seq = 3; seq < 2600; seq++) pipeline.xadd(LOG, `${first}-${seq}`, 'x', 'junk')
    await pipeline.exec()
    await grow(head, 3)
    expect(await client.xlen(LOG)).toBe(3)
    expect(await read(0)).toEqual({ seqs: [1, 2, 3], floor: 1 })
  })

  it('in place of the events is returned, for the core to detect', async () => {
    await grow(null, 2)
    const first = await no()
    await client.del(LOG)
    await client.xadd(LOG, `${first}-1`, 'e', 'forged')
    await client.xadd(LOG, `${first}-2`, 'other', 'forged', 'e', 'too')
    const { events } = await feed.read({ epoch: EPOCH, seq: 0 }, 10, call)
    expect(events).toEqual([1, 2].map((seq) => ({ seq, bytes: bytesOf('forged') })))
  })

  it('that was deleted shows no log, and a new one can be created', async () => {
    const head = await grow(null, 3)
    await client.flushall()
    expect(await feed.head(call)).toBeNull()
    expect(await read(0)).toEqual({ seqs: [], floor: 1 })
    expect(await feed.append(head, [eventAt(4)], headAt(4), call)).toEqual({
      ok: false,
      head: null,
    })
    expect(await feed.touch?.(head, head, call)).toBe(false)
    await feed.trim?.(2, call)
    expect(await client.dbsize()).toBe(0)
    expect(await grow(null, 2)).toEqual(await feed.head(call))
  })

  it('without a head shows no log', async () => {
    await grow(null, 3)
    await client.del(KEY)
    expect(await feed.head(call)).toBeNull()
    expect(await read(0)).toEqual({ seqs: [], floor: 1 })
    await grow(null, 1, ' anew', 'another-epoch-of-22-ch')
    expect(await client.xlen(LOG)).toBe(1)
  })

  it('without a log shows that nothing can be read', async () => {
    const head = await grow(null, 3)
    await client.del(LOG)
    expect(await feed.head(call)).toEqual({ ...head, floor: 4 })
    expect(await read(0)).toEqual({ seqs: [], floor: 4 })
    await grow(head, 5)
    expect(await read(0)).toEqual({ seqs: [4, 5], floor: 4 })
  })

  it('that was rolled back and grew again shows another link', async () => {
    const three = await grow(null, 3)
    const backup = [await client.dumpBuffer(KEY), await client.dumpBuffer(LOG)] as const
    const five = await grow(three, 5)
    for (const [at, key] of [KEY, LOG].entries())
      await client.restore(key, 0, backup[at] ?? '', 'REPLACE')
    expect(await feed.head(call)).toEqual(three)
    const refused = await feed.append(five, [eventAt(6)], headAt(6), call)
    expect(refused).toEqual({ ok: false, head: three })
    const other = await grow(three, 5, ' of another life')
    expect(other.link).not.toEqual(five.link)
    expect(await feed.append(five, [eventAt(6)], headAt(6), call)).toEqual({
      ok: false,
      head: other,
    })
    expect((await feed.read({ epoch: EPOCH, seq: 3 }, 9, call)).events).toEqual(
      [4, 5].map((seq) => eventAt(seq, ' of another life')),
    )
  })

  it('begins again with a higher number, although the clock of the server was set back', async () => {
    const head = await grow(null, 3)
    const far = 4_000_000_000_000
    await client.hset(KEY, 'no', far)
    await grow(head, 1, '', 'another-epoch-of-22-ch')
    expect(await no()).toBe(String(far + 1))
  })

  it('with a broken head has a head without a seal, which can be replaced', async () => {
    const head = await grow(null, 3)
    await client.hdel(KEY, 'bytes')
    expect(await feed.head(call)).toEqual({ ...head, bytes: new Uint8Array(0) })
    await client.hset(KEY, { seq: 'x'.repeat(99), link: 'l'.repeat(99), no: '-', floor: '1e9' })
    await client.hset(KEY, 'bytes', 'b'.repeat(5_000_000))
    const broken = await feed.head(call)
    expect(broken).toMatchObject({ epoch: EPOCH, seq: 0, floor: 1 })
    expect(broken?.bytes.length).toBeLessThan(1000)
    const next = headAt(1, '', 'another-epoch-of-22-ch')
    expect(await feed.append(broken, [eventAt(1)], next, call)).toEqual({ ok: true })
    expect(await feed.head(call)).toEqual(next)
  })

  it.each([
    [KEY, 'hash'],
    [LOG, 'stream'],
  ])('of another type at %s is rejected by name, until it is removed', async (key, wanted) => {
    const head = await grow(null, 3)
    const kinds: string[] = []
    const stop = feed.observe?.((kind) => kinds.push(kind))
    await client.set(key, 'text')
    const message = `the redis key '${key}' of the feed holds a string, where a ${wanted}`
    for (const call_ of [
      () => feed.head(call),
      () => feed.read(head, 9, call),
      () => feed.append(head, [], head, call),
      () => feed.touch?.(head, head, call),
      () => feed.trim?.(1, call),
    ])
      await expect(call_()).rejects.toMatchObject({
        code: 'ERR_FEED_UNAVAILABLE',
        message: expect.stringContaining(message),
      })
    stop?.()
    expect(kinds).toEqual(Array(5).fill('damaged'))
    await client.del(key)
    expect((await feed.head(call))?.seq).toBe(key === KEY ? undefined : 3)
  })

  it('loses a time to live that others set, with the next touch', async () => {
    const head = await grow(null, 3)
    for (const key of [KEY, LOG]) await client.expire(key, 100)
    expect(await feed.touch?.(head, head, call)).toBe(true)
    for (const key of [KEY, LOG]) expect(await client.ttl(key)).toBe(-1)
  })

  it('of an impossible size is skipped, in the log and in the snapshot', async () => {
    await grow(null, 5)
    const ours = await no()
    await client.del(LOG)
    await client.xadd(LOG, `${ours}-1`, 'e', 'e1')
    await client.xadd(LOG, `${ours}-2`, 'e', 'x'.repeat(5_000_000))
    await client.xadd(LOG, `${ours}-3`, 'e', 'e3')
    expect(await read(0)).toEqual({ seqs: [1], floor: 1 })
    expect(await read(1)).toEqual({ seqs: [3], floor: 3 })
    const kinds: string[] = []
    const stop = feed.observe?.((kind) => kinds.push(kind))
    await client.hset(`${KEY}:snapshot`, 'generation', 'g', 'count', 2)
    await client.rpush(`${KEY}:snapshot:g`, 'chunk', 'x'.repeat(5_000_000))
    for await (const chunk of feed.snapshot?.load(call.signal) ?? []) expect(chunk).toBeUndefined()
    stop?.()
    expect(kinds).toEqual(['damaged'])
  })

  it('of a snapshot that others remove makes its writing and its reading reject', async () => {
    const { snapshot } = feed
    if (snapshot === undefined) throw new Error('no snapshot')
    const removeAll = async () => client.del(await client.keys(`${KEY}:snapshot:*`))
    async function* chunks(then: () => Promise<unknown>) {
      for (let at = 0; at < 300; at++) yield bytesOf('chunk'.repeat(4000))
      await then()
    }
    await expect(snapshot.save(chunks(removeAll), call.signal)).rejects.toThrow(
      'lost a part of a snapshot while it was written',
    )
    expect(await client.keys(`${KEY}:snapshot*`)).toEqual([])
    await snapshot.save(
      chunks(async () => undefined),
      call.signal,
    )
    let count = 0
    const read = async () => {
      for await (const _ of snapshot.load(call.signal)) if (count++ === 0) await removeAll()
    }
    await expect(read()).rejects.toThrow('lost a part of a snapshot while it was read')
    expect(count).toBeGreaterThan(0)
  })

  it('is read in replies of a few megabytes', async () => {
    const bytes = new Uint8Array(40_000)
    const events = Array.from({ length: 200 }, (_, at) => ({ seq: at + 1, bytes }))
    expect(await feed.append(null, events, headAt(200), call)).toEqual({ ok: true })
    const { seqs, floor } = await read(0, 1000)
    expect(seqs.length).toBeGreaterThan(90)
    expect(seqs.length).toBeLessThan(110)
    expect(floor).toBe(1)
    expect((await read(seqs.length, 1000)).seqs[0]).toBe(seqs.length + 1)
  })

  it('is deleted by a reset, with the snapshot', async () => {
    await grow(null, 3)
    const chunks = (async function* () {
      yield bytesOf('chunk')
    })()
    await feed.snapshot?.save(chunks, call.signal)
    await client.set('{watchword}:feedback', 'of the caller')
    await feed.reset?.()
    expect(await client.keys('*')).toEqual(['{watchword}:feedback'])
    expect(await feed.head(call)).toBeNull()
    await grow(null, 2)
  })

  it('in a large amount is trimmed in steps', async () => {
    let head = await grow(null, 5000)
    for (const upTo of [10_000, 15_000, 20_000, 25_000]) head = await grow(head, upTo)
    await feed.trim?.(24_990, call)
    expect(await client.xlen(LOG)).toBe(10)
    expect(await read(3)).toEqual({
      seqs: Array.from({ length: 10 }, (_, at) => 24_991 + at),
      floor: 24_991,
    })
    await feed.trim?.(7, call)
    expect((await feed.head(call))?.floor).toBe(24_991)
    await feed.trim?.(99_999, call)
    expect(await feed.head(call)).toEqual({ ...head, floor: 25_001 })
    await grow(head, 25_001)
    expect(await read(25_000)).toEqual({ seqs: [25_001], floor: 25_001 })
  })

  it('has no time to live, except for a snapshot that is unfinished or was replaced', async () => {
    await grow(null, 3)
    async function* chunks(text: string, fails = false) {
      for (let at = 0; at < 40; at++) yield bytesOf(text + at)
      if (fails) throw new Error('no more chunks')
    }
    await feed.snapshot?.save(chunks('a'), call.signal)
    await feed.snapshot?.save(chunks('b'), call.signal)
    await expect(feed.snapshot?.save(chunks('c', true), call.signal)).rejects.toThrow('no more')
    const lives = new Map<string, number>()
    for (const key of await client.keys('*')) lives.set(key, await client.ttl(key))
    const current = `${KEY}:snapshot:${await client.hget(`${KEY}:snapshot`, 'generation')}`
    for (const key of [KEY, LOG, `${KEY}:snapshot`, current]) expect(lives.get(key)).toBe(-1)
    const [replaced, ...others] = [...lives].filter(([, ttl]) => ttl !== -1)
    expect(replaced?.[1]).toBeGreaterThan(200)
    expect(others).toEqual([])
    await client.del(current)
    for await (const chunk of feed.snapshot?.load(call.signal) ?? []) expect(chunk).toBeUndefined()
  })

  describe.each([
    ['ioredis', client],
    ['node-redis', node],
  ])('watched with %s', (_, watched) => {
    it('delivers each event with its bytes, from the start of the watch', async () => {
      const head = await grow(null, 3)
      const watch = watching({ ...head, seq: 1 }, watched)
      await soon(() => watch.seqs().length === 2)
      await grow(head, 200)
      await soon(() => watch.seqs().length === 199)
      const events = watch.hints.flatMap((hint) => hint?.events ?? [])
      expect(events).toEqual(Array.from({ length: 199 }, (_, at) => eventAt(2 + at)))
      expect(watch.isOver()).toBe(false)
    })

    it.each([
      ['are gone', async () => client.flushall()],
      ['lost its head', async () => client.del(KEY)],
      ['was rolled back', async () => client.hset(KEY, 'seq', 2)],
      [
        'began anew with a lower number',
        async () => {
          await client.flushall()
          await grow(null, 2, '', 'another-epoch-of-22-ch')
          await client.hset(KEY, 'no', 5)
        },
      ],
    ])('ends the watch when it %s', async (_, change) => {
      const head = await grow(null, 3)
      const watch = watching(head, watched)
      await soon(isWatched)
      await change()
      await soon(() => watch.isOver())
      expect(watch.hints.length).toBeGreaterThan(0)
    })

    it('that was rolled back before the watch wakes it at once, and so do the next events', async () => {
      const head = await grow(null, 3)
      const watch = watching({ ...head, seq: 9 }, watched)
      await soon(() => watch.hints.length > 0)
      expect(watch.seqs()).toEqual([])
      await grow(head, 4)
      await soon(() => watch.seqs().length > 0)
      expect(watch.seqs()).toEqual([4])
    })

    it('that was deleted before the watch wakes it at once, and so does the next log', async () => {
      const watch = watching(headAt(3), watched)
      await soon(() => watch.hints.length === 1)
      await grow(null, 1)
      await soon(() => watch.hints.length > 1)
      expect(watch.seqs()).toEqual([])
    })

    it('wakes the watch when it begins again, and delivers the new epoch', async () => {
      const head = await grow(null, 3)
      const watch = watching(head, watched)
      await soon(isWatched)
      const next = await grow(head, 1, '', 'another-epoch-of-22-ch')
      await soon(() => watch.hints.length > 0)
      expect(watch.seqs()).toEqual([])
      await grow(next, 2, '', 'another-epoch-of-22-ch')
      await soon(() => watch.seqs().length > 0)
      expect(watch.seqs()).toEqual([2])
    })

    it('of junk is removed at any size, and the next events are still delivered', async () => {
      const head = await grow(null, 3)
      const watch = watching(head, watched)
      await soon(isWatched)
      const ids = [`${await no()}-9`, `${await no()}-10`, '9999999999999999-1']
      for (const id of ids) await client.xadd(LOG, id, 'e', 'x'.repeat(3_000_000))
      await soon(async () => (await client.xlen(LOG)) === 3)
      await grow(head, 5)
      await soon(() => watch.seqs().length === 2)
      expect(watch.seqs()).toEqual([4, 5])
      expect(watch.isOver()).toBe(false)
    })
  })
})
