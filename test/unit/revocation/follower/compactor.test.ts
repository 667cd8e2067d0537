/** What the compactor cuts off the log, and the snapshot that replaces it. */
import { monotonicFactory } from 'ulid'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ready } from 'watchword/paseto'
import { type ChaosLog, chaosLog, type ManualClock, manualClock } from 'watchword/testkit'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import type { RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import { open, type SealKeys, seal } from '../../../../src/revocation/log/seal.js'
import { newSealKeys } from '../../../support/feed-writer.js'
import { DAY, drive, feedOver, HOUR, MINUTE, SECOND } from '../../../support/fleet.js'
import {
  type FollowerNode,
  type FollowerWish,
  followerNode,
} from '../../../support/follower-node.js'

const MAX_LOG = 20
const BLOCK = 256

let clock: ManualClock
let log: ChaosLog
let keys: SealKeys
let started: FollowerNode[]

beforeEach(async () => {
  await ready
  clock = manualClock()
  log = chaosLog()
  keys = newSealKeys()
  started = []
})
afterEach(async () => {
  vi.restoreAllMocks()
  const ends = started.map(({ follower }) => follower.stop().catch(() => undefined))
  await drive(clock, Promise.all(ends))
})

function nodeOf(wish: Partial<FollowerWish> = {}): FollowerNode {
  const node = followerNode({ clock, keys, feed: log.feed(), maxLog: MAX_LOG, ...wish })
  started.push(node)
  return node
}

async function start(wish: Partial<FollowerWish> = {}): Promise<FollowerNode> {
  const node = nodeOf(wish)
  await node.start()
  await clock.advance(SECOND)
  return node
}

const newId = monotonicFactory()
const entryOf = (lifetime = DAY): RevocationEntry => {
  const now = clock.now()
  return { kind: 'token', value: newId(now), expiresAt: now + lifetime }
}

/** Publishes that many events, each of one entry. */
async function publish({ follower }: FollowerNode, count: number, lifetime?: number) {
  for (let i = 0; i < count; i++) await drive(clock, follower.publish([entryOf(lifetime)]), 1)
}

/** Makes the log longer by that many events without enlarging the index: all events are the same. */
async function repeat({ follower }: FollowerNode, count: number): Promise<void> {
  const entry = entryOf()
  for (let i = 0; i < count; i++) await drive(clock, follower.publish([entry]), 1)
}

/** Entries of which about ten fill an event or a chunk. */
function wideEntries(count: number): RevocationEntry[] {
  const times = { before: clock.now(), expiresAt: clock.now() + DAY }
  return Array.from({ length: count }, (_, i) => {
    return { kind: 'subject', value: `${i} ${'x'.repeat(4000)}`, ...times }
  })
}

const compact = ({ follower }: FollowerNode) =>
  drive(clock, follower.compact(clock.now() - MINUTE), 1)

const seqOf = ({ follower }: FollowerNode) => follower.position.seq

describe('a long log', () => {
  it('is cut behind a snapshot, which replaces the removed events', async () => {
    const a = await start({ node: 'a' })
    await publish(a, 5)
    await repeat(a, 2 * MAX_LOG)
    const before = seqOf(a)
    await compact(a)
    expect(log.chunks.length).toBeGreaterThan(1)
    expect(log.floor).toBeGreaterThan(before - MAX_LOG)
    expect(log.events[0]?.seq).toBe(log.floor)
    const late = await start({ node: 'late' })
    expect(late.index.digest()).toBe(a.index.digest())
    expect(late.follower.position).toEqual(a.follower.position)
    expect(late.incidents).toEqual({})
    await publish(late, 3)
    await clock.advance(SECOND)
    expect(late.index.digest()).toBe(a.index.digest())
  })

  it('is cut repeatedly, and never holds much more than its limit', async () => {
    const a = await start({ node: 'a' })
    const b = await start({ node: 'b' })
    for (let i = 0; i < 10; i++) {
      await publish(a, 3)
      await repeat(i % 2 === 0 ? a : b, 4 * MAX_LOG)
      await clock.advance(SECOND)
      await compact(a)
      await compact(b)
      expect(log.events.length).toBeLessThan(MAX_LOG + 20)
    }
    expect(log.floor).toBeGreaterThan(200)
    const late = await start({ node: 'late' })
    for (const node of [b, late]) {
      expect(node.index.digest()).toBe(a.index.digest())
      expect(node.incidents).toEqual({})
    }
  })

  it('is cut by one node at a time', async () => {
    let saves = 0
    const real = log.feed()
    const counting = feedOver(real, {
      snapshot: {
        load: (signal) => real.snapshot?.load(signal) as AsyncIterable<Uint8Array>,
        save: async (chunks, signal) => {
          saves++
          await real.snapshot?.save(chunks, signal)
        },
      },
    })
    const nodes: FollowerNode[] = []
    for (const node of ['a', 'b', 'c'])
      nodes.push(await start({ node, feed: feedOver(counting, {}) }))
    const [a] = nodes as [FollowerNode]
    await publish(a, 5)
    await repeat(a, 3 * MAX_LOG)
    await clock.advance(SECOND)
    await drive(
      clock,
      Promise.all(nodes.map(({ follower }) => follower.compact(clock.now() - MINUTE))),
      1,
    )
    expect(saves).toBe(1)
    for (const { incidents } of nodes) expect(incidents).toEqual({})
  })

  it('stays whole when the snapshot cannot be saved', async () => {
    const real = log.feed()
    const feed = feedOver(real, {
      snapshot: {
        load: (signal) => real.snapshot?.load(signal) as AsyncIterable<Uint8Array>,
        save: async (chunks, signal) => {
          const half = async function* () {
            for await (const chunk of chunks) {
              yield chunk
              throw new Error('the disk is full')
            }
          }
          await real.snapshot?.save(half(), signal)
        },
      },
    })
    const a = await start({ node: 'a', feed })
    await repeat(a, 2 * MAX_LOG)
    await compact(a)
    expect(log).toMatchObject({ floor: 1, chunks: [] })
    const late = await start({ node: 'late' })
    expect(late.index.digest()).toBe(a.index.digest())
  })

  it('is not cut by a node that is comparing it with its index', async () => {
    // How long it waits before it republishes anything: most of the quarter of a second allowed. A creator does not wait.
    vi.spyOn(Math, 'random').mockReturnValue(0.9)
    const founder = await start({ node: 'founder' })
    const a = await start({ node: 'a' })
    await drive(clock, founder.follower.stop())
    await publish(a, 5)
    await repeat(a, 2 * MAX_LOG)
    log.rollback(5)
    await drive(clock, a.follower.pull(), 1)
    expect(a.incidents).toEqual({ rollback: 1 })
    await compact(a)
    expect(log).toMatchObject({ floor: 1, chunks: [] })
    await clock.advance(5 * SECOND)
    await compact(a)
    expect(log.floor).toBeGreaterThan(1)
    const late = await start({ node: 'late' })
    expect(late.index.digest()).toBe(a.index.digest())
  })

  it('is read from the snapshot by a node that was away while it was cut', async () => {
    const a = await start({ node: 'a' })
    let isCut = false
    const real = log.feed()
    const b = await start({
      node: 'b',
      feed: feedOver(real, {
        info: { ...real.info, push: false },
        head: (options) => (isCut ? Promise.reject(new Error('down')) : real.head(options)),
      }),
    })
    isCut = true
    await publish(a, 5)
    await repeat(a, 3 * MAX_LOG)
    await compact(a)
    expect(log.floor).toBeGreaterThan(seqOf(b) + 1)
    isCut = false
    await clock.advance(5 * SECOND)
    expect(b.index.digest()).toBe(a.index.digest())
    expect(b.follower.position).toEqual(a.follower.position)
    expect(b.incidents).toEqual({})
  })

  it('still lists the members to a node that starts later', async () => {
    const [a] = [await start({ node: 'a' }), await start({ node: 'b' })]
    await publish(a, 5)
    await repeat(a, 3 * MAX_LOG)
    await compact(a)
    expect(log.floor).toBeGreaterThan(10)
    const late = await start({ node: 'late' })
    const { applied, pending } = await drive(clock, late.follower.rollCall([entryOf()], 10_000), 1)
    expect({ applied, pending }).toEqual({ applied: ['a', 'b', 'late'], pending: [] })
  })
})

/** A node whose log is cut behind a snapshot of several chunks. */
async function snapshotted(): Promise<FollowerNode> {
  const a = await start({ node: 'a' })
  await drive(clock, a.follower.publish(wideEntries(25)), 1)
  await repeat(a, 60)
  await compact(a)
  expect(log.chunks.length).toBeGreaterThan(2)
  return a
}

/** Appends an entry to the first chunk, of a kind of a future version, under an authentic seal. */
function addFutureKind(): void {
  const [first, ...rest] = log.chunks
  const opened = first === undefined ? undefined : open(keys, 'chunk', first)
  if (opened === undefined || 'failure' in opened) throw new Error('no authentic chunk')
  const payload = new Uint8Array([...opened.payload, 0x7f, 0, 0])
  const view = new DataView(payload.buffer)
  view.setUint16(0, view.getUint16(0) + 1)
  log.chunks = [seal(keys, 'chunk', opened, payload), ...rest]
}

describe('a snapshot with entries that a node cannot apply', () => {
  it('is rejected if an entry has an unknown kind, and the error names the upgrade', async () => {
    await snapshotted()
    addFutureKind()
    const late = nodeOf({ node: 'late', backfill: async () => {} })
    await expect(late.start()).rejects.toMatchObject({
      code: 'ERR_FEED_UNAVAILABLE',
      message: expect.stringContaining('upgrade watchword on this node') as string,
    })
    expect(late.incidents).toMatchObject({ unreadable: expect.any(Number) as number })
    expect(late.follower.freshness.proven).toBe(false)
  })

  it('is rejected if the index has no space for them', async () => {
    await snapshotted()
    const late = nodeOf({ node: 'late', maxEntries: 3 })
    await expect(late.start()).rejects.toMatchObject({
      code: 'ERR_FEED_UNAVAILABLE',
      message: expect.stringContaining('raise maxRevocations') as string,
    })
    expect(late.incidents).toMatchObject({ full: expect.any(Number) as number })
    expect(late.follower.freshness.proven).toBe(false)
  })
})

describe('a snapshot', () => {
  it('is not made while it would be far larger than the events that it replaces', async () => {
    const a = await start({ node: 'a' })
    const alive = Array.from({ length: 100 * MAX_LOG }, () => entryOf())
    await drive(clock, a.follower.publish(alive), 1)
    await publish(a, 4 * MAX_LOG)
    await compact(a)
    expect(log).toMatchObject({ floor: 1, chunks: [] })
    await publish(a, 2 * MAX_LOG)
    await compact(a)
    expect(log.floor).toBeGreaterThan(4 * MAX_LOG)
  })

  type Harm = (chunks: Uint8Array[], older: readonly Uint8Array[]) => Uint8Array[]
  const harms: readonly [string, Harm][] = [
    ['is gone', () => []],
    ['misses its first chunk', (chunks) => chunks.slice(1)],
    ['misses a chunk in the middle', (chunks) => chunks.toSpliced(1, 1)],
    ['misses its end', (chunks) => chunks.slice(0, -1)],
    ['has two chunks swapped', ([a, b, ...rest]) => [b, a, ...rest] as Uint8Array[]],
    ['has a chunk twice', ([a, ...rest]) => [a, a, ...rest] as Uint8Array[]],
    [
      'has a bit flipped',
      ([a, ...rest]) => {
        const flipped = (a as Uint8Array).slice()
        flipped[120] = (flipped[120] ?? 0) ^ 1
        return [flipped, ...rest]
      },
    ],
    ['combines two snapshots', (chunks, older) => [...older.slice(0, -1), ...chunks.slice(-1)]],
    ['is an older snapshot', (_, older) => [...older]],
    ['is junk', () => [new Uint8Array(200), new Uint8Array(0)]],
    ['consists of events', () => log.events.map(({ bytes }) => bytes)],
  ]

  describe.each(harms)('that %s', (_, harm) => {
    /** A fleet whose log is cut behind a tampered snapshot. */
    async function harmed() {
      const a = await start({ node: 'a' })
      await drive(clock, a.follower.publish(wideEntries(25)), 1)
      await repeat(a, 60)
      await compact(a)
      const older = log.chunks
      await publish(a, 5)
      await repeat(a, 80)
      await compact(a)
      expect(log.chunks.length).toBeGreaterThan(2)
      expect(log.chunks).not.toEqual(older)
      log.chunks = harm([...log.chunks], older)
      return a
    }

    it('is rejected, and a node without a store does not start', async () => {
      const a = await harmed()
      const late = nodeOf({ node: 'late' })
      await expect(late.start()).rejects.toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
      expect(late.follower.freshness.proven).toBe(false)
      expect(a.follower.freshness.proven).toBe(true)
    })

    it('is repaired from the store', async () => {
      const a = await harmed()
      const known = [...a.index.entries()]
      const backfill = async (index: RevocationIndex) => {
        for (const entry of known) index.apply(entry)
      }
      const late = await start({ node: 'late', backfill })
      await clock.advance(5 * SECOND)
      expect(late.incidents).toMatchObject({ trimmed: 1 })
      expect(late.index.size).toBe(a.index.size)
      const later = await start({ node: 'later' })
      for (const node of [a, later]) expect(node.index.digest()).toBe(late.index.digest())
    })
  })
})

describe('expired entries at the beginning of the log', () => {
  it('are cut off without a snapshot, in whole blocks, up to the first valid entry', async () => {
    const a = await start({ node: 'a', maxLog: 1_000_000 })
    await publish(a, 5 * BLOCK, MINUTE)
    const alive = entryOf(20 * MINUTE)
    await drive(clock, a.follower.publish([alive]), 1)
    const from = seqOf(a)
    await publish(a, 5 * BLOCK, MINUTE)
    await compact(a)
    expect(log.floor).toBe(1)
    await clock.advance(5 * MINUTE)
    await compact(a)
    expect(log.floor).toBeGreaterThan(4 * BLOCK)
    expect(log.floor).toBeLessThanOrEqual(from)
    expect(log.chunks).toEqual([])
    const late = await start({ node: 'late' })
    expect(late.incidents).toEqual({})
    expect([...late.index.entries()].map((entry) => entry.value)).toContain(alive.value)
    await clock.advance(20 * MINUTE)
    await compact(a)
    expect(log.floor).toBeGreaterThan(from)
  })

  it('stay as long as they concern a token of a node whose clock is behind', async () => {
    const a = await start({ node: 'a', maxLog: 1_000_000 })
    await publish(a, 5 * BLOCK, HOUR)
    await clock.advance(HOUR)
    await compact(a)
    expect(log.floor).toBe(1)
    await clock.advance(2 * MINUTE)
    await compact(a)
    expect(log.floor).toBeGreaterThan(4 * BLOCK)
  })
})
