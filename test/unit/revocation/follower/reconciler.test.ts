/** What a node reads from the store when the log may have been replaced. */
import { ulid } from 'ulid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStore } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import { ready } from 'watchword/paseto'
import type { Store } from 'watchword/store'
import { type ChaosLog, chaosLog, type ManualClock, manualClock } from 'watchword/testkit'
import {
  backfillChanges,
  backfillRevocations,
  type RowInspector,
} from '../../../../src/revocation/follower/backfill.js'
import type { StoreChanges } from '../../../../src/revocation/follower/follower-options.js'
import type { RevocationEntry } from '../../../../src/revocation/index/entries.js'
import { REVOKED, RevocationIndex } from '../../../../src/revocation/index/revocation-index.js'
import type { SealKeys } from '../../../../src/revocation/log/seal.js'
import { fixtures, NOW } from '../../../../src/testkit/store/fixtures.js'
import { newSealKeys } from '../../../support/feed-writer.js'
import { DAY, drive, feedOver, flush, MINUTE, SECOND } from '../../../support/fleet.js'
import {
  type FollowerNode,
  type FollowerWish,
  followerNode,
} from '../../../support/follower-node.js'

const MAX_STALENESS = 5 * SECOND

interface Kept {
  readonly entry: RevocationEntry & { readonly kind: 'token' }
  readonly at: number
}

let clock: ManualClock
let log: ChaosLog
let keys: SealKeys
let started: FollowerNode[]
/** The store that all nodes share. */
let kept: Kept[]
let storeIs: 'up' | 'down' | 'hung'
/** The store's cursor at each request. */
let asked: number[]
/** How often all of it was read. */
let readAll: number

beforeEach(async () => {
  await ready
  clock = manualClock()
  log = chaosLog()
  keys = newSealKeys()
  started = []
  kept = []
  storeIs = 'up'
  asked = []
  readAll = 0
})
afterEach(async () => {
  storeIs = 'up'
  const ends = started.map(({ follower }) => follower.stop().catch(() => undefined))
  await drive(clock, Promise.all(ends))
})

async function reached(): Promise<void> {
  if (storeIs === 'down') throw new Error('the store is down')
  if (storeIs === 'hung') await new Promise(() => {})
}

const reconcile: StoreChanges = {
  async begin() {
    await reached()
    return String(kept.length)
  },
  async since(into, cursor) {
    asked.push(Number(cursor))
    await reached()
    for (const { entry } of kept.slice(Number(cursor))) into.apply(entry)
    return String(kept.length)
  },
  async recent(into, since) {
    await reached()
    for (const { entry, at } of kept) if (at >= since) into.apply(entry)
  },
  async all(into) {
    readAll++
    await reached()
    for (const { entry } of kept) into.apply(entry)
  },
}

const NO_CHANGES: StoreChanges = {
  begin: async () => '0',
  since: async () => '0',
  recent: async () => {},
  all: async () => {},
}

async function start(wish: Partial<FollowerWish> = {}): Promise<FollowerNode> {
  const node = followerNode({ clock, keys, feed: log.feed(), reconcile, ...wish })
  started.push(node)
  await node.start()
  await clock.advance(SECOND)
  return node
}

/** Revokes a token as an authority does: in the feed, then in the store. */
async function revoke({ follower }: FollowerNode): Promise<Kept['entry']> {
  const at = clock.now()
  const entry = { kind: 'token', value: ulid(at), expiresAt: at + DAY } as const
  await drive(clock, follower.publish([entry]), 1)
  kept.push({ entry, at })
  return entry
}

function denies({ index }: FollowerNode, { value: id, expiresAt }: Kept['entry']): boolean {
  const facts = {
    id,
    family: id,
    generation: 0,
    subject: 's',
    audience: 'a',
    keyId: 'k',
    issuedAt: 1,
    expiresAt,
  }
  return index.deadline(facts) === REVOKED
}

const isFresh = ({ follower }: FollowerNode) =>
  follower.freshness.within(MAX_STALENESS, clock.now())

/** The feed of a log that nothing can split: a node on it needs no evidence, and reads the store only in doubt. */
function inOnePlace(feed = log.feed()): RevocationFeed {
  return feedOver(feed, { info: { ...feed.info, splits: false } })
}

/** A node whose feed can be cut off. */
async function cuttable(
  recalling = reconcile,
  real = log.feed(),
): Promise<{ node: FollowerNode; cut: (isCut: boolean) => void }> {
  let isCut = false
  const down = () => Promise.reject(new Error('down'))
  const node = await start({
    node: 'b',
    reconcile: recalling,
    feed: feedOver(real, {
      info: { ...real.info, push: false },
      head: (options) => (isCut ? down() : real.head(options)),
      append: (...args) => (isCut ? down() : real.append(...args)),
    }),
  })
  return {
    node,
    cut: (now) => {
      isCut = now
    },
  }
}

/** A node that was away while another one revoked and died, and the log was rolled back to the first one's position. */
async function leftBehind() {
  const a = await start({ node: 'a' })
  await revoke(a)
  const { node: b, cut } = await cuttable()
  const { seq } = b.follower.position
  cut(true)
  const lost = await revoke(a)
  const cutAt = clock.now()
  a.follower.abandon()
  log.rollback((log.head?.seq ?? 0) - seq)
  return { b, cut, lost, seq, cutAt }
}

describe('a node that reconnects after its lease ran out', () => {
  it('learns what was revoked meanwhile, even if the log lost it and no other node runs', async () => {
    const { b, cut, lost } = await leftBehind()
    await clock.advance(2 * MAX_STALENESS)
    expect(isFresh(b)).toBe(false)
    cut(false)
    const asking = asked.length
    while (!isFresh(b)) await clock.advance(50)
    expect(denies(b, lost)).toBe(true)
    expect(asked.length).toBe(asking + 1)
    expect(b.incidents).toMatchObject({ reconciled: 1 })
  })

  it('republishes it to the log for nodes that start later', async () => {
    const { b, cut, lost, seq } = await leftBehind()
    await clock.advance(2 * MAX_STALENESS)
    cut(false)
    await clock.advance(5 * SECOND)
    expect(b.follower.pending).toBe(0)
    expect(log.head?.seq).toBeGreaterThan(seq)
    const late = await start({ node: 'late', reconcile: NO_CHANGES })
    expect(denies(late, lost)).toBe(true)
  })

  it('and other nodes republish it only once', async () => {
    const a = await start({ node: 'a' })
    const others = [await cuttable(), await cuttable(), await cuttable(), await cuttable()]
    const { seq } = a.follower.position
    for (const { cut } of others) cut(true)
    const lost = await revoke(a)
    a.follower.abandon()
    log.rollback((log.head?.seq ?? 0) - seq)
    await clock.advance(2 * MAX_STALENESS)
    const before = log.head?.seq ?? 0
    for (const { cut } of others) cut(false)
    // Polls every second, and as long a wait for the others: each node acts at a different time.
    await clock.advance(5 * SECOND)
    for (const { node } of others) {
      expect(denies(node, lost)).toBe(true)
      expect(node.follower.pending).toBe(0)
    }
    const told = (log.head?.seq ?? 0) - before
    expect(told).toBeGreaterThan(0)
    expect(told).toBeLessThan(others.length)
  })

  it("reads what arrived since its last read, regardless of the revoking node's clock", async () => {
    const { b, cut } = await leftBehind()
    const at = clock.now() - 10 * MINUTE
    const entry = { kind: 'token', value: ulid(at), expiresAt: at + DAY } as const
    kept.push({ entry, at })
    await clock.advance(2 * MAX_STALENESS)
    cut(false)
    await clock.advance(5 * SECOND)
    expect(denies(b, entry)).toBe(true)
    asked = []
    b.follower.doubt()
    await clock.advance(2 * MAX_STALENESS)
    expect(asked[0]).toBe(kept.length)
  })

  it.each(['down', 'hung'] as const)('stays stale while the store is %s', async (state) => {
    const { b, cut, lost } = await leftBehind()
    await clock.advance(2 * MAX_STALENESS)
    storeIs = state
    cut(false)
    for (let i = 0; i < 200; i++) {
      await clock.advance(100)
      expect(isFresh(b)).toBe(false)
    }
    if (state === 'hung') return
    storeIs = 'up'
    await clock.advance(2 * SECOND)
    expect(isFresh(b)).toBe(true)
    expect(denies(b, lost)).toBe(true)
  })
})

describe('a store read that started before the lease ran out', () => {
  it('does not count as proof for revocations made since', async () => {
    let release = () => {}
    let isHeld = false
    const slow: StoreChanges = {
      ...reconcile,
      async since(into, cursor) {
        const rows = kept.slice(Number(cursor))
        const next = String(kept.length)
        if (isHeld)
          await new Promise<void>((resolve) => {
            release = resolve
          })
        for (const { entry } of rows) into.apply(entry)
        return next
      },
    }
    const a = await start({ node: 'a' })
    const { node: b, cut } = await cuttable(slow)
    await clock.advance(MAX_STALENESS)
    const { seq } = b.follower.position
    isHeld = true
    b.follower.doubt()
    await clock.advance(2 * SECOND)
    isHeld = false
    cut(true)
    const lost = await revoke(a)
    a.follower.abandon()
    log.rollback((log.head?.seq ?? 0) - seq)
    await clock.advance(2 * MAX_STALENESS)
    cut(false)
    await clock.advance(SECOND)
    release()
    while (!isFresh(b)) await clock.advance(10)
    expect(denies(b, lost)).toBe(true)
  })
})

describe('a node that starts', () => {
  it('reads the store once before it is live, for what a recent rollback of the log may have lost', async () => {
    const a = await start({ node: 'a' })
    const lost = await revoke(a)
    await drive(clock, a.follower.stop())
    log.rollback(log.events.length - 1)
    asked = []
    const late = await start({ node: 'late' })
    expect(denies(late, lost)).toBe(true)
    expect(asked).toHaveLength(1)
  })

  /** What the log lost too long ago for a read of recent changes. */
  function lostLongAgo(): Kept['entry'] {
    const at = clock.now() - DAY / 2
    const entry = { kind: 'token', value: ulid(at), expiresAt: at + DAY } as const
    kept.push({ entry, at })
    return entry
  }

  it('reads the whole store within a lease when no earlier node is left', async () => {
    const a = await start({ node: 'a' })
    await revoke(a)
    const lost = lostLongAgo()
    a.follower.abandon()
    const late = await start({ node: 'late' })
    await clock.advance(MAX_STALENESS)
    expect(denies(late, lost)).toBe(true)
    expect(isFresh(late)).toBe(true)
    await clock.advance(MINUTE)
    expect(readAll).toBe(1)
    const next = await start({ node: 'next', reconcile: NO_CHANGES })
    expect(denies(next, lost)).toBe(true)
  })

  it('reports it when the store has more entries than there is room for', async () => {
    const a = await start({ node: 'a' })
    await revoke(a)
    for (let i = 0; i < 2; i++) lostLongAgo()
    a.follower.abandon()
    let later = 0
    const since: StoreChanges['since'] = (into, cursor) => {
      if (readAll > 0 && ++later === 2) {
        const at = clock.now()
        kept.push({ entry: { kind: 'token', value: ulid(at), expiresAt: at + DAY }, at })
      }
      return reconcile.since(into, cursor)
    }
    // Enough for the first read, but not for the entries added by the time of the comparison.
    const late = await start({ node: 'late', reconcile: { ...reconcile, since }, maxEntries: 3 })
    await clock.advance(2 * MAX_STALENESS)
    expect(late.index.full).toBe(true)
  })

  it('does not rely on nodes that start at the same time', async () => {
    const a = await start({ node: 'a' })
    await revoke(a)
    const lost = lostLongAgo()
    a.follower.abandon()
    const late = await Promise.all(['b', 'c', 'd'].map((node) => start({ node })))
    await clock.advance(MAX_STALENESS)
    for (const node of late) expect(denies(node, lost)).toBe(true)
  })

  it('tries again when the store cannot be read', async () => {
    const a = await start({ node: 'a' })
    await revoke(a)
    a.follower.abandon()
    const late = await start({ node: 'late' })
    const lost = lostLongAgo()
    storeIs = 'down'
    await clock.advance(MAX_STALENESS)
    expect(denies(late, lost)).toBe(false)
    // Not at each poll.
    expect(readAll).toBeLessThan(5)
    storeIs = 'up'
    await clock.advance(MAX_STALENESS)
    expect(denies(late, lost)).toBe(true)
  })

  it('does not read the whole store when an earlier member is alive', async () => {
    const backfill = async () => {}
    const a = await start({ node: 'a', backfill })
    await revoke(a)
    for (const node of ['b', 'c', 'd']) {
      const late = await start({ node, backfill })
      await clock.advance(MINUTE)
      await drive(clock, late.follower.stop())
    }
    expect(readAll).toBe(0)
  })
})

describe('a node whose lease holds', () => {
  it('does not read the store while idle', async () => {
    await start({ backfill: async () => {}, feed: inOnePlace() })
    asked = []
    await clock.advance(MINUTE)
    expect(asked).toEqual([])
  })

  it('reads the store in the background after a failed call, and stays fresh even when the store does not reply', async () => {
    for (const state of ['up', 'down', 'hung'] as const) {
      storeIs = 'up'
      const { node, cut } = await cuttable(reconcile, inOnePlace())
      storeIs = state
      asked = []
      cut(true)
      await clock.advance(SECOND)
      cut(false)
      for (let i = 0; i < 100; i++) {
        await clock.advance(100)
        expect(isFresh(node)).toBe(true)
      }
      // Not at each poll, whether or not the read succeeds.
      expect(asked.length).toBeGreaterThan(0)
      expect(asked.length).toBeLessThan(4)
      // In normal operation: while a node is missing, the store is read in every lease.
      await drive(clock, node.follower.stop())
    }
  })

  it('reads the store when its push channel ended', async () => {
    const real = inOnePlace()
    let end = () => {}
    const node = await start({
      feed: feedOver(real, {
        watch: () =>
          new Promise<void>((resolve) => {
            end = resolve
          }),
      }),
    })
    await clock.advance(MAX_STALENESS)
    asked = []
    end()
    await flush()
    await clock.advance(2 * SECOND)
    expect(asked).toHaveLength(1)
    expect(isFresh(node)).toBe(true)
  })

  it('learns what only the store has when it is told to doubt the log', async () => {
    const node = await start({ feed: inOnePlace() })
    await clock.advance(MAX_STALENESS)
    const at = clock.now()
    const entry = { kind: 'token', value: ulid(at), expiresAt: at + DAY } as const
    kept.push({ entry, at })
    await clock.advance(2 * SECOND)
    expect(denies(node, entry)).toBe(false)
    node.follower.doubt()
    await clock.advance(2 * SECOND)
    expect(denies(node, entry)).toBe(true)
    expect(node.follower.pending).toBe(0)
    expect(node.incidents).toEqual({ reconciled: 1 })
  })
})

describe('a read from the store', () => {
  it('begins at the requested time, to the millisecond', async () => {
    const store = memoryStore()
    const since = clock.now()
    const times = [since - 1, since, since, since + 1]
    for (const at of times) {
      await store.revoke({
        id: ulid(at),
        kind: 'subject',
        value: `svc ${at} ${Math.random()}`,
        before: at,
        at,
        actor: 'ops',
        reason: null,
        expiresAt: at + DAY,
        family: null,
        generation: null,
        tag: '',
      })
    }
    const index = new RevocationIndex()
    const horizon = () => NOW + DAY
    await backfillRevocations({ store, index, call: (call) => call(), horizon }, since)
    const values = [...index.entries()].map((entry) => 'before' in entry && entry.before)
    expect(values.sort()).toEqual([since, since, since + 1])
  })

  const readBack = async (store: Store, cursor: string, inspect?: RowInspector) => {
    const index = new RevocationIndex()
    const call = <T>(call: () => Promise<T>) => call()
    const options = { store, index, call, horizon: () => NOW + DAY }
    const next = await backfillChanges(
      inspect === undefined ? options : { ...options, inspect },
      cursor,
    )
    return { entries: [...index.entries()], next }
  }

  it('returns the successors of a revoked token and the end of a rotated one, in order of arrival', async () => {
    const store = memoryStore()
    const make = fixtures('read back')
    const [first, other] = [make.token(), make.token()]
    await store.insertTokens([first, other])
    const { cursor } = await store.changes(null, 1)
    const second = make.successor(first)
    await store.succeed(first.id, second, NOW + MINUTE)
    await store.succeed(second.id, make.successor(second), null)
    const { id, family, expiresAt: before } = other
    const expiresAt = before + DAY
    const reach = { before, expiresAt, family, generation: 1, at: 1 }
    await store.revoke(make.revocation('token', id, reach))
    const { entries, next } = await readBack(store, cursor)
    // An index rounds expiries up.
    const said = entries.map(({ expiresAt: _, ...entry }) => entry)
    expect(said).toHaveLength(3)
    expect(said).toEqual(
      expect.arrayContaining([
        { kind: 'token', value: id },
        { kind: 'successors', value: family, generation: 1 },
        { kind: 'rotated', value: first.family, generation: 1, from: null },
      ]),
    )
    const ends = entries.map((entry) => entry.expiresAt).sort((a, b) => a - b)
    const least = [before, first.familyExpiresAt, expiresAt].sort((a, b) => a - b)
    for (const [index, end] of ends.entries()) expect(end).toBeGreaterThanOrEqual(least[index] ?? 0)
    expect((await readBack(store, next)).entries).toEqual([])
  })

  it('revokes by an edited row until the later of its times', async () => {
    const store = memoryStore()
    const make = fixtures('edited')
    const { cursor } = await store.changes(null, 1)
    const times = { before: NOW + 1, expiresAt: NOW + DAY }
    const edited = make.revocation('token', make.id(), times)
    await store.revoke(edited)
    const inspect = {
      restriction: async () => 'intact' as const,
      revocation: async () => false,
      token: async () => true,
    }
    const { entries } = await readBack(store, cursor, inspect)
    const { value, expiresAt } = edited
    expect(entries).toEqual([{ kind: 'token', value, expiresAt, loose: true }])
  })

  it('rejects when the index is full, so that the cursor does not advance', async () => {
    const store = memoryStore()
    const make = fixtures('full')
    const { cursor } = await store.changes(null, 1)
    for (let i = 0; i < 3; i++) await store.revoke(make.revocation('token', make.id()))
    const index = new RevocationIndex({ max: 2 })
    const reading = backfillChanges(
      { store, index, call: (call) => call(), horizon: () => NOW + DAY },
      cursor,
    )
    await expect(reading).rejects.toMatchObject({ code: 'ERR_FEED_UNAVAILABLE' })
  })
})
