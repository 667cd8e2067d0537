import { describe, expect, it } from 'vitest'
import { manualClock } from 'watchword/testkit'
import { type Fleet, makeUsage, type UsageBase } from '../../../src/authority/usage.js'
import { resolveClock } from '../../../src/lib/clock.js'
import { stopsWithFeed } from '../../../src/observe/usage/life-id.js'
import type { Store } from '../../../src/store/store.js'
import { START, sharedStore } from '../../support/harness.js'

const memberOf = (byte: number) => Buffer.alloc(16, byte).toString('base64url')

const USAGE = {
  counts: true,
  scopes: true,
  callers: true,
  flushEveryMs: 60_000,
  keepMs: 86_400_000,
}

interface Change {
  readonly isShared?: boolean
  readonly isFresh?: boolean
  readonly store?: Store
  readonly options?: Readonly<Record<string, unknown>>
}

/** The parts of a node that follows a shared feed with one other member. */
function partsOf({ isShared = true, isFresh = true, options, store = sharedStore() }: Change = {}) {
  const clock = resolveClock(manualClock(START))
  const follower: Fleet = {
    member: memberOf(1),
    others: [{ life: memberOf(2), name: 'two' }],
    freshness: { within: () => isFresh },
    time: { certain: () => START, stamp: () => START },
  }
  const given = {
    ...{ usage: USAGE, onStale: 'reject', onStart: 'wait', maxStalenessMs: 30_000, node: 'one' },
    ...{ cache: undefined, ...options },
  }
  return makeUsage({
    options: given as unknown as UsageBase['options'],
    ...{ clock, store, follower, isShared },
    callStore: (work) => work(),
  })
}

/** Whether the node asks the store for lives that other processes lost. */
async function looksForLost(change: Change): Promise<boolean> {
  const store = sharedStore()
  let reads = 0
  const usage = store.usage && {
    ...store.usage,
    listLives: async () => {
      reads++
      return []
    },
  }
  await partsOf({ ...change, store: { ...store, usage } as Store })?.lostLives.check(START)
  return reads > 0
}

describe('the usage of an authority', () => {
  it('has no parts if the store keeps none', () => {
    const { usage: _, ...store } = sharedStore()
    expect(partsOf({ store })).toBeUndefined()
  })

  it('counts nothing, but has a life, if the option says so', () => {
    const parts = partsOf({ options: { usage: { ...USAGE, counts: false } } })
    expect([parts?.recorder, parts?.lives.current.node]).toEqual([undefined, 'one'])
    expect(partsOf()?.recorder?.keepsCallers).toBe(true)
  })

  it.each([
    ['rejects tokens without the feed', true, {}],
    ['accepts tokens when the feed is stale', false, { options: { onStale: 'accept' } }],
    ['accepts tokens before it has read the feed', false, { options: { onStart: 'accept' } }],
    ['shares its feed with no other process', false, { isShared: false }],
  ])('has a life that says whether it stops with the feed, if it %s', (_, stops, change) => {
    expect(stopsWithFeed(partsOf(change)?.lives.current.life ?? '')).toBe(stops)
  })

  it('looks for lost lives only while it can know the members of a shared feed', async () => {
    expect(await looksForLost({})).toBe(true)
    expect(await looksForLost({ isFresh: false })).toBe(false)
    expect(await looksForLost({ isShared: false })).toBe(false)
  })

  it('names the other members for reports', () => {
    const parts = partsOf()
    expect(parts?.own.members()).toEqual([{ life: memberOf(2), name: 'two' }])
    expect(parts?.own.life()).toBe(parts?.lives.current)
  })
})
