/** Pitfalls of a log in a SQL database: order of commits, long transactions, junk, large replies. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SealedEvent, SealedHead } from '../../src/feed/feed.js'
import type { SqlFeed } from '../../src/feed/sqlite.js'
import { CALL, following, newHead, noise, PLACES, type Place } from './sql-feed-places.js'

const WRITERS = 8
const APPENDS = 100

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe.each(PLACES)('a feed in $name', ({ open }) => {
  let place: Place
  beforeAll(async () => {
    place = await open()
  })
  afterAll(() => place.end())

  /** Creates a new log, and clears any earlier one. */
  async function begin(): Promise<SealedHead> {
    const next = newHead()
    const { feed } = place
    expect(await feed.append(await feed.head(CALL), [], next, CALL)).toEqual({ ok: true })
    return next
  }

  /** Appends one event, with as many retries as needed. Returns it as acknowledged. */
  async function appendOne(feed: SqlFeed): Promise<SealedEvent> {
    let head = await feed.head(CALL)
    for (;;) {
      const { events, next } = following(head as SealedHead, [40])
      const result = await feed.append(head, events, next, CALL)
      if (result.ok) return events[0] as SealedEvent
      head = result.head
    }
  }

  // The loser of a race waits for the winner's commit to reach the disk, which takes long on a busy machine.
  it('returns every event without a gap to a reader that follows eight racing writers', {
    timeout: 150_000,
  }, async () => {
    const { epoch } = await begin()
    const acknowledged: SealedEvent[] = []
    const writers = Array.from({ length: WRITERS }, async (_, index) => {
      for (let i = 0; i < APPENDS; i++)
        acknowledged.push(await appendOne(index % 2 === 0 ? place.feed : place.twin))
    })
    let over = false
    const writing = Promise.all(writers).finally(() => {
      over = true
    })
    const seen: SealedEvent[] = []
    // Reads once more after the last append, so that no event is missing because it was late.
    for (let last = false; !last; ) {
      last = over
      const { events } = await place.twin.read({ epoch, seq: seen.length }, 100, CALL)
      for (const event of events) {
        expect(event.seq).toBe(seen.length + 1)
        seen.push(event)
      }
      await new Promise((resolve) => setImmediate(resolve))
      if (events.length > 0) last = false
    }
    await writing
    expect(seen).toHaveLength(WRITERS * APPENDS)
    const log = new Map(seen.map(({ seq, bytes }) => [seq, hex(bytes)]))
    expect(new Set(acknowledged.map(({ seq }) => seq)).size).toBe(acknowledged.length)
    for (const { seq, bytes } of acknowledged) expect(log.get(seq)).toBe(hex(bytes))
  })

  it('continues while another client keeps a transaction open', async () => {
    const head = await begin()
    const release = await place.holdTransaction()
    const { events, next } = following(head, [100, 100])
    expect(await place.feed.append(head, events, next, CALL)).toEqual({ ok: true })
    expect(await place.twin.head(CALL)).toEqual(next)
    expect((await place.twin.read(head, 10, CALL)).events).toEqual(events)
    await release()
    expect((await place.feed.read(head, 10, CALL)).events).toEqual(events)
  })

  it('overwrites foreign rows after the head, and never returns them', async () => {
    const head = await begin()
    const plant = (seq: number) =>
      place.exec(`INSERT INTO ${place.prefix}log (feed, epoch, seq, bytes)
        VALUES ('main', '${head.epoch}', ${seq}, ${place.junk})`)
    for (const seq of [1, 2, 3, 9]) await plant(seq)
    expect(await place.feed.read(head, 10, CALL)).toEqual({ events: [], floor: 1 })
    const first = following(head, [100])
    expect(await place.feed.append(head, first.events, first.next, CALL)).toEqual({ ok: true })
    const more = following(first.next, [50, 60])
    expect(await place.feed.append(first.next, more.events, more.next, CALL)).toEqual({ ok: true })
    const { events } = await place.twin.read(head, 10, CALL)
    expect(events).toEqual([...first.events, ...more.events])
  })

  it('accepts thirty large events at once, and returns no more than a few megabytes', async () => {
    let head = await begin()
    const start = head
    const written: SealedEvent[] = []
    for (let round = 0; round < 7; round++) {
      const { events, next } = following(head, Array<number>(30).fill(24_000))
      expect(await place.feed.append(head, events, next, CALL)).toEqual({ ok: true })
      written.push(...events)
      head = next
    }
    const seen: SealedEvent[] = []
    const pages: number[] = []
    for (;;) {
      const { events } = await place.feed.read({ ...start, seq: seen.length }, 1000, CALL)
      if (events.length === 0) break
      pages.push(events.length * 24_000)
      seen.push(...events)
    }
    expect(pages.length).toBeGreaterThan(1)
    expect(Math.max(...pages)).toBeLessThanOrEqual(4 * 1024 * 1024 + 24_000)
    expect(seen.map(({ bytes }) => hex(bytes))).toEqual(written.map(({ bytes }) => hex(bytes)))
  })

  it('trims the requested log in batches, and no event above it', async () => {
    let head = await begin()
    const { epoch } = head
    for (let round = 0; round < 4; round++) {
      const { events, next } = following(head, Array<number>(600).fill(20))
      expect(await place.feed.append(head, events, next, CALL)).toEqual({ ok: true })
      head = next
    }
    await place.feed.trim?.(2300, CALL)
    const { events, floor } = await place.twin.read({ epoch, seq: 0 }, 1000, CALL)
    expect(floor).toBe(2301)
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => 2301 + i))
    await place.feed.trim?.(9999, CALL)
    const after = following(head, [20])
    expect(await place.feed.append(head, after.events, after.next, CALL)).toEqual({ ok: true })
    expect(await place.feed.read({ epoch, seq: 0 }, 10, CALL)).toEqual({
      events: after.events,
      floor: 2401,
    })
  })

  describe('its snapshot', () => {
    const { signal } = CALL
    async function* chunksOf(text: string, count: number): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => setImmediate(resolve))
        yield Buffer.from(`${text}${i}`)
      }
    }
    async function loaded(feed: SqlFeed): Promise<string[]> {
      const texts: string[] = []
      for await (const chunk of feed.snapshot?.load(signal) ?? [])
        texts.push(Buffer.from(chunk).toString())
      return texts
    }
    const whole = (text: string) => Array.from({ length: 70 }, (_, i) => `${text}${i}`)

    it('is one of two that are saved at once, and never a mixture of both', async () => {
      for (let round = 0; round < 3; round++) {
        await Promise.all(
          [place.feed, place.twin].map((feed, i) =>
            feed.snapshot?.save(chunksOf(`${round}${'ab'[i]}`, 70), signal),
          ),
        )
        const texts = await loaded(place.feed)
        expect([whole(`${round}a`), whole(`${round}b`)]).toContainEqual(texts)
      }
    })

    it('can be read while it is replaced', async () => {
      await place.feed.snapshot?.save(chunksOf('old', 70), signal)
      const reading = place.twin.snapshot?.load(signal)[Symbol.asyncIterator]()
      const first = await reading?.next()
      await place.feed.snapshot?.save(chunksOf('new', 70), signal)
      const texts = [Buffer.from(first?.value ?? []).toString()]
      for (let next = await reading?.next(); !next?.done; next = await reading?.next())
        texts.push(Buffer.from(next?.value ?? []).toString())
      expect(texts).toEqual(whole('old'))
      expect(await loaded(place.twin)).toEqual(whole('new'))
    })

    it('keeps only the last two, and nothing of an unfinished one', async () => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield noise(10)
        throw new Error('the process ended')
      }
      await expect(place.feed.snapshot?.save(broken(), signal)).rejects.toThrow('ended')
      await place.exec(`INSERT INTO ${place.prefix}chunks (feed, generation, part, saved_at, bytes)
        VALUES ('main', 'halfway', 0, 1, ${place.junk})`)
      for (const text of ['one', 'two', 'three'])
        await place.feed.snapshot?.save(chunksOf(text, 70), signal)
      expect(await loaded(place.feed)).toEqual(whole('three'))
      const generations = `SELECT COUNT(DISTINCT generation) AS n FROM ${place.prefix}chunks`
      expect(await place.count(generations)).toBe(2)
    })
  })
})
