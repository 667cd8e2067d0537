import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Position, RevocationFeed, SealedEvent, SealedHead, WatchHint } from 'watchword/feed'
import {
  type ChaosFeed,
  type ChaosLog,
  type ChaosOptions,
  chaosFeed,
  chaosLog,
  manualClock,
} from 'watchword/testkit'

const NEVER = new AbortController().signal
const options = { signal: NEVER, deadlineMs: 1000 }
const EPOCH = 'A'.repeat(22)
const SILENT = { failBefore: 0, failAfter: 0, delayed: 0, repeated: 0 }
const NO_PUSH_FAULTS = {
  pushDropped: 0,
  pushRepeated: 0,
  pushReordered: 0,
  pushDelayed: 0,
  pushEnded: 0,
}
const CALM = { ...SILENT, ...NO_PUSH_FAULTS }

function headAt(seq: number, epoch = EPOCH): SealedHead {
  const link = new Uint8Array(16).fill(seq)
  return { epoch, seq, link, floor: 1, beaconAt: 1000 + seq, bytes: Uint8Array.of(seq) }
}

const eventAt = (seq: number): SealedEvent => ({ seq, bytes: Uint8Array.of(seq, seq) })

/** Appends one event after the other, up to this seq. */
async function fill(feed: RevocationFeed, upTo: number): Promise<void> {
  const standing = await feed.head(options)
  for (let seq = (standing?.seq ?? 0) + 1; seq <= upTo; seq++) {
    const expect: Position | null = seq === 1 ? null : headAt(seq - 1)
    await feed.append(expect, [eventAt(seq)], headAt(seq), options)
  }
}

async function seqs(feed: RevocationFeed): Promise<number[]> {
  const { events } = await feed.read({ epoch: EPOCH, seq: 0 }, 100, options)
  return events.map(({ seq }) => seq)
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: Error) => error.message,
  )

interface Channel {
  readonly hints: Array<WatchHint | undefined>
  readonly ended: Promise<string>
  stop(): Promise<string>
}

const channels: Channel[] = []
afterEach(() => Promise.all(channels.splice(0).map((each) => each.stop())))

function watch(feed: RevocationFeed, from: Position): Channel {
  const controller = new AbortController()
  const hints: Array<WatchHint | undefined> = []
  const ended = codeOf(
    feed.watch?.(from, (hint) => hints.push(hint), controller.signal) ?? Promise.resolve(),
  )
  const stop = () => {
    controller.abort()
    return ended
  }
  channels.push({ hints, ended, stop })
  return { hints, ended, stop }
}

const pushed = ({ hints }: Channel) => hints.map((hint) => hint?.events?.map(({ seq }) => seq))

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function wild(log: ChaosLog, seed: string | number, given?: ChaosOptions): ChaosFeed {
  return chaosFeed(log.feed(), seed, { clock: manualClock(), ...given })
}

describe('the faults of a chaosFeed', () => {
  /** The outcomes of that many appends and heads, one word each. */
  async function fates(seed: string | number, heads: number): Promise<string[]> {
    const log = chaosLog()
    const feed = chaosFeed(log.feed(), seed, {
      rates: { ...CALM, failBefore: 0.3, failAfter: 0.3 },
    })
    const found: string[] = []
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < heads; i++) await codeOf(feed.head(options))
      const head = log.head
      const next = headAt((head?.seq ?? 0) + 1)
      found.push(await codeOf(feed.append(head, [eventAt(next.seq)], next, options)))
    }
    return found
  }

  it('repeat with the seed, whichever other methods were called in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.nat(3), async (seed, heads) => {
        expect(await fates(seed, heads)).toEqual(await fates(seed, 0))
      }),
      { numRuns: 20 },
    )
    expect(await fates('one', 0)).not.toEqual(await fates('two', 0))
  })

  it('occur before a call takes effect, or after it', async () => {
    const log = chaosLog()
    const before = wild(log, 1, { rates: { ...CALM, failBefore: 1 } })
    const message = 'chaos: append failed before it took effect'
    expect(await codeOf(before.append(null, [eventAt(1)], headAt(1), options))).toBe(message)
    expect(log.head).toBeNull()
    const after = wild(log, 1, { rates: { ...CALM, failAfter: 1 } })
    const done = 'chaos: append failed after it took effect'
    expect(await codeOf(after.append(null, [eventAt(1)], headAt(1), options))).toBe(done)
    expect(log.head).toMatchObject({ seq: 1 })
    expect([before.faults.failBefore, after.faults.failAfter]).toEqual([1, 1])
  })

  it('occur about as often as configured, and are counted', async () => {
    const feed = wild(chaosLog(), 'often', { rates: { ...CALM, failBefore: 0.25 } })
    for (let i = 0; i < 1000; i++) await codeOf(feed.head(options))
    expect(feed.faults.failBefore).toBeGreaterThan(200)
    expect(feed.faults.failBefore).toBeLessThan(300)
    expect(feed.faults.failAfter).toBe(0)
  })

  it('delay a reply until the clock is moved', async () => {
    const clock = manualClock()
    const log = chaosLog()
    await fill(log.feed(), 1)
    const feed = wild(log, 1, { clock, maxDelayMs: 80, rates: { ...CALM, delayed: 1 } })
    let replied = false
    const asked = feed.head(options).then((head) => {
      replied = true
      return head
    })
    await turn()
    expect(replied).toBe(false)
    await clock.advance(80)
    expect(await asked).toMatchObject({ seq: 1 })
  })

  it('repeat events of a read, and keep their order and the limit', async () => {
    const log = chaosLog()
    await fill(log.feed(), 5)
    const feed = wild(log, 'again', { rates: { ...CALM, repeated: 1 } })
    for (let round = 0; round < 20; round++) {
      const found = await seqs(feed)
      expect([...new Set(found)]).toEqual([1, 2, 3, 4, 5])
      expect(found).toHaveLength(6)
      expect(found).toEqual([...found].sort())
      const { events } = await feed.read({ epoch: EPOCH, seq: 0 }, 2, options)
      expect(events).toHaveLength(2)
    }
  })

  it('may occur in the middle of a snapshot, and after one was saved', async () => {
    const log = chaosLog()
    log.chunks = Array.from({ length: 50 }, (_, index) => Uint8Array.of(index))
    const feed = wild(log, 'snapshot', { rates: { ...CALM, failAfter: 0.2 } })
    let found = 0
    const load = async () => {
      for await (const chunk of feed.snapshot?.load(NEVER) ?? [])
        expect(chunk).toEqual(Uint8Array.of(found++))
    }
    expect(await codeOf(load())).toBe('chaos: snapshot.load failed after it took effect')
    expect(found).toBeLessThan(50)
    feed.rates = { ...CALM, failAfter: 1 }
    const one = async function* () {
      yield Uint8Array.of(7)
    }
    const saved = feed.snapshot?.save(one(), NEVER) ?? Promise.resolve()
    expect(await codeOf(saved)).toBe('chaos: snapshot.save failed after it took effect')
    expect(log.chunks).toEqual([Uint8Array.of(7)])
  })

  it('skip methods that the feed lacks or that cannot fail', () => {
    const {
      touch: _touch,
      watch: _watch,
      trim: _trim,
      snapshot: _snapshot,
      ...bare
    } = chaosLog().feed()
    const feed = chaosFeed({ ...bare, peek: () => null }, 1)
    for (const name of ['touch', 'watch', 'trim', 'snapshot', 'peek']) {
      expect(feed).not.toHaveProperty(name)
    }
  })
})

describe('the pushes of a chaosFeed', () => {
  async function pushes(rates: ChaosOptions['rates'], upTo = 40) {
    const clock = manualClock()
    const log = chaosLog()
    await fill(log.feed(), 1)
    const feed = wild(log, 'push', { clock, rates: { ...CALM, ...rates }, maxDelayMs: 100 })
    const channel = watch(feed, headAt(1))
    await turn()
    await fill(log.feed(), upTo)
    const atOnce = pushed(channel).flat()
    await clock.advance(100)
    return { atOnce, atLast: pushed(channel).flat(), feed, channel }
  }
  const all = Array.from({ length: 39 }, (_, index) => index + 2)

  it('all arrive in order without faults', async () => {
    expect((await pushes({})).atOnce).toEqual(all)
  })

  it('can be lost', async () => {
    const { atLast, feed } = await pushes({ pushDropped: 0.5 })
    expect(atLast).toHaveLength(39 - feed.faults.pushDropped)
    expect(feed.faults.pushDropped).toBeGreaterThan(5)
  })

  it('can arrive twice', async () => {
    const { atLast, feed } = await pushes({ pushRepeated: 0.5 })
    expect(new Set(atLast)).toEqual(new Set(all))
    expect(atLast).toHaveLength(39 + feed.faults.pushRepeated)
    expect(feed.faults.pushRepeated).toBeGreaterThan(5)
  })

  it('can be overtaken by later ones', async () => {
    const { atLast, feed } = await pushes({ pushReordered: 0.3 })
    expect(atLast).not.toEqual(all.slice(0, atLast.length))
    expect(feed.faults.pushReordered).toBeGreaterThan(5)
    // One that no other follows has not arrived yet.
    expect(all.filter((seq) => !atLast.includes(seq)).every((seq) => seq > 35)).toBe(true)
  })

  it('can be delayed individually, and then all arrive', async () => {
    const { atOnce, atLast, feed } = await pushes({ pushDelayed: 0.5 })
    expect(atOnce).toHaveLength(39 - feed.faults.pushDelayed)
    expect(atLast).not.toEqual(all)
    expect([...atLast].sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual(all)
  })

  it('can end the channel', async () => {
    const { channel, atLast } = await pushes({ pushEnded: 1 })
    expect(await channel.ended).toBe('chaos: the channel ended')
    expect(atLast).toEqual([])
  })

  it('stop after the watch is aborted, including delayed ones', async () => {
    const clock = manualClock()
    const log = chaosLog()
    await fill(log.feed(), 1)
    const feed = wild(log, 1, { clock, rates: { ...CALM, pushDelayed: 1 } })
    const channel = watch(feed, headAt(1))
    await turn()
    await fill(log.feed(), 3)
    expect(await channel.stop()).toBe('ok')
    await clock.advance(1000)
    expect(channel.hints).toEqual([])
  })
})

describe('the controls of a chaosFeed', () => {
  it('cut the node off, with its watches and its replies in flight, and heal', async () => {
    const clock = manualClock()
    const log = chaosLog()
    await fill(log.feed(), 2)
    const feed = wild(log, 1, { clock, rates: { ...CALM, delayed: 1 } })
    const channel = watch(feed, headAt(2))
    const onItsWay = codeOf(feed.head(options))
    await turn()
    feed.partition()
    expect(await channel.ended).toBe('chaos: watch is cut off')
    await clock.advance(100)
    expect(await onItsWay).toBe('chaos: head is cut off')
    expect(await codeOf(feed.append(headAt(2), [eventAt(3)], headAt(3), options))).toBe(
      'chaos: append is cut off',
    )
    expect(await watch(feed, headAt(2)).ended).toBe('chaos: watch is cut off')
    expect(log.head).toMatchObject({ seq: 2 })
    feed.heal()
    feed.rates = CALM
    expect(await feed.head(options)).toMatchObject({ seq: 2 })
  })

  it('freeze reads while writes go through, and thaw', async () => {
    const log = chaosLog()
    await fill(log.feed(), 2)
    const feed = wild(log, 1, { rates: CALM })
    const channel = watch(feed, headAt(2))
    await turn()
    await feed.freeze()
    await fill(log.feed(), 3)
    const result = await feed.append(headAt(3), [eventAt(4)], headAt(4), options)
    expect(result).toEqual({ ok: true })
    const touched = { ...headAt(4), beaconAt: 9999 }
    expect(await feed.touch?.(headAt(4), touched, options)).toBe(true)
    expect(await feed.head(options)).toEqual(headAt(2))
    expect(await seqs(feed)).toEqual([1, 2])
    expect(channel.hints).toEqual([])
    feed.thaw()
    expect(await feed.head(options)).toEqual(touched)
    expect(await seqs(feed)).toEqual([1, 2, 3, 4])
  })

  it('freeze a log that does not exist yet', async () => {
    const log = chaosLog()
    const feed = wild(log, 1, { rates: CALM })
    await feed.freeze()
    await fill(log.feed(), 3)
    expect(await feed.head(options)).toBeNull()
    expect(await seqs(feed)).toEqual([])
  })

  it('hang every call and every push until resumed, and then let all complete', async () => {
    const log = chaosLog()
    await fill(log.feed(), 1)
    const feed = wild(log, 1, { rates: CALM })
    const channel = watch(feed, headAt(1))
    await turn()
    feed.hang()
    const settled: string[] = []
    const given = { ...options, signal: AbortSignal.abort() }
    const append = feed.append(headAt(1), [eventAt(2)], headAt(2), given)
    const calls = [append, feed.head(options), feed.open(NEVER)].map((call) =>
      call.then(() => settled.push('settled')),
    )
    await turn()
    expect([settled, log.head?.seq]).toEqual([[], 1])
    await fill(log.feed(), 2)
    await turn()
    expect(channel.hints).toEqual([])
    feed.resume()
    await Promise.all(calls)
    expect(settled).toHaveLength(3)
    expect(await append).toMatchObject({ ok: false, head: { seq: 2 } })
    await turn()
    expect(pushed(channel)).toEqual([[2]])
  })

  it('can all be ended at once', async () => {
    const log = chaosLog()
    await fill(log.feed(), 1)
    const feed = wild(log, 1)
    await feed.freeze()
    feed.partition()
    feed.hang()
    const asked = feed.head(options)
    feed.calm()
    expect(await asked).toMatchObject({ seq: 1 })
    for (let i = 0; i < 200; i++) expect(await seqs(feed)).toEqual([1])
  })

  it('always allow the feed to be closed', async () => {
    const feed = wild(chaosLog(), 1, { rates: { ...CALM, failBefore: 1 } })
    feed.hang()
    feed.partition()
    await feed.close()
    await expect(feed.close()).resolves.toBeUndefined()
  })
})

describe('a chaosLog', () => {
  it('is one log for all its feeds', async () => {
    const log = chaosLog()
    const [one, two] = [log.feed(), log.feed()]
    await fill(one, 3)
    expect(await two.head(options)).toEqual(headAt(3))
    await one.close()
    expect(await seqs(two)).toEqual([1, 2, 3])
  })

  it('rolls back to an earlier head, and accepts appends from there', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 3)
    await feed.append(headAt(3), [4, 5, 6].map(eventAt), headAt(6), options)
    expect(log.rollback(1)).toBe(3)
    expect(await feed.head(options)).toEqual(headAt(3))
    expect(await seqs(feed)).toEqual([1, 2, 3])
    const refilled = { ...headAt(4), link: new Uint8Array(16).fill(99) }
    await feed.append(headAt(3), [eventAt(4)], refilled, options)
    expect(log.rollback(0)).toBe(0)
    expect(log.rollback(2)).toBe(2)
    expect(log.head).toEqual(headAt(2))
    expect(log.rollback(9)).toBe(2)
    expect(log.head).toBeNull()
    expect(log.rollback(1)).toBe(0)
  })

  it('rolls back to the newest seal of that head, within its epoch', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 2)
    const touched = { ...headAt(2), beaconAt: 5000 }
    await feed.touch?.(headAt(2), touched, options)
    await fill(feed, 3)
    log.rollback(1)
    expect(log.head).toEqual(touched)
    const begun = headAt(1, 'B'.repeat(22))
    await feed.append(touched, [eventAt(1)], begun, options)
    log.rollback(1)
    expect(log.head).toBeNull()
  })

  it('keeps a consistent floor when it is rolled back behind a trim', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 6)
    await feed.trim?.(5, options)
    log.rollback(4)
    expect(await feed.head(options)).toMatchObject({ seq: 2, floor: 3 })
  })

  it('is restored from a backup any number of times', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 2)
    log.chunks = [Uint8Array.of(1)]
    const restore = log.backup()
    for (let round = 0; round < 2; round++) {
      await fill(feed, 5)
      log.chunks = []
      restore()
      expect(await feed.head(options)).toEqual(headAt(2))
      expect(await seqs(feed)).toEqual([1, 2])
      expect(log.chunks).toEqual([Uint8Array.of(1)])
    }
    log.rollback(1)
    expect(log.head).toEqual(headAt(1))
  })

  it('is wiped, and created again', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 3)
    await feed.trim?.(2, options)
    log.chunks = [Uint8Array.of(1)]
    log.wipe()
    expect(await feed.head(options)).toBeNull()
    expect(log.chunks).toEqual([])
    await fill(feed, 2)
    expect(await feed.read({ epoch: EPOCH, seq: 0 }, 9, options)).toMatchObject({ floor: 1 })
    expect(await seqs(feed)).toEqual([1, 2])
  })

  it('is truncated, damaged and appended to without changing the head', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 5)
    log.truncate(2)
    log.flip(4, 9)
    log.plant({ seq: 5, bytes: Uint8Array.of(0) })
    log.plant({ seq: 7, bytes: Uint8Array.of(0) })
    log.events = log.events.filter(({ seq }) => seq !== 3)
    const { events, floor } = await feed.read({ epoch: EPOCH, seq: 0 }, 9, options)
    expect(events.map(({ seq, bytes }) => [seq, ...bytes])).toEqual([
      [4, 4, 6],
      [5, 5, 5],
      [5, 0],
      [7, 0],
    ])
    expect(floor).toBe(3)
    expect(await feed.head(options)).toEqual({ ...headAt(5), floor: 3 })
  })

  it('returns a forged head and a forged floor, and accepts appends on them', async () => {
    const log = chaosLog()
    const feed = log.feed()
    await fill(feed, 2)
    const forged = { ...headAt(9), bytes: Uint8Array.of(66) }
    log.head = forged
    log.floor = 2
    expect(await feed.head(options)).toEqual({ ...forged, floor: 2 })
    expect(await feed.append(forged, [], headAt(2), options)).toEqual({ ok: true })
    expect(await feed.head(options)).toEqual({ ...headAt(2), floor: 2 })
  })

  it('wakes every watch with any message', async () => {
    const log = chaosLog()
    await fill(log.feed(), 1)
    const watches = [watch(log.feed(), headAt(1)), watch(log.feed(), headAt(1))]
    await turn()
    log.push()
    log.push({ events: [{ seq: 2, bytes: Uint8Array.of(66) }] })
    for (const channel of watches) expect(pushed(channel)).toEqual([undefined, [2]])
  })
})
