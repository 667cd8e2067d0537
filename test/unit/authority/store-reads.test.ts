/** The reads of the store that the follower gets, by what the store and the feed support. */
import { describe, expect, it } from 'vitest'
import { memoryFeed, memoryStore } from 'watchword'
import type { Store } from 'watchword/store'
import { FleetTime } from '../../../src/authority/fleet-time.js'
import { storeReads } from '../../../src/authority/store-reads.js'
import { MAX_SKEW_MS } from '../../../src/keys/rotation.js'
import { RevocationIndex } from '../../../src/revocation/index/revocation-index.js'
import { fixtures, HOUR, NOW } from '../../../src/testkit/store/fixtures.js'

const make = fixtures('reads')

const durable = (changes: Partial<Store> = {}): Store => ({
  ...memoryStore(),
  supports: { durable: true },
  ...changes,
})

/** A feed whose log outlives the process. */
function sharedFeed() {
  const { peek: _, ...feed } = memoryFeed()
  return feed
}

function readsOf(store: Store, { feed = sharedFeed(), time = new FleetTime() } = {}) {
  const index = new RevocationIndex({ max: 100 })
  const call = <T>(run: () => Promise<T>) => run()
  return { reads: storeReads({ store, feed, call, time, index, horizon: () => NOW + HOUR }) }
}

/** A time that the fleet agrees on. */
function agreed(now: number): FleetTime {
  const time = new FleetTime()
  time.follow({ certain: () => now, keyDuty: 'need' })
  return time
}

describe('the reads of a store', () => {
  it('are none if its data ends with the process', () => {
    const { reads } = readsOf(memoryStore())
    expect([reads.backfill, reads.reconcile]).toEqual([undefined, undefined])
  })

  it('do not compare it with a log that ends with the process', () => {
    const { reads } = readsOf(durable(), { feed: memoryFeed() })
    expect(reads.backfill).toBeTypeOf('function')
    expect(reads.reconcile).toBeUndefined()
  })

  it('include its time and its identity only if it reports them', async () => {
    const { now: _, identity: __, ...plain } = durable()
    const { reads } = readsOf(plain)
    expect([reads.storeTime, reads.storeIdentity]).toEqual([undefined, undefined])
    const store = Object.assign(Object.create({ at: NOW, id: 'server:1' }), plain, {
      async now(this: { at: number }) {
        return this.at
      },
      async identity(this: { id: string }) {
        return this.id
      },
    }) as Store
    const { reads: all } = readsOf(store)
    expect(await all.storeTime?.()).toBe(NOW)
    expect(await all.storeIdentity?.()).toBe('server:1')
  })

  it('reject if the store throws instead of rejecting', async () => {
    const fails = (): never => {
      throw new Error('not async')
    }
    const { reads } = readsOf(durable({ now: fails, identity: fails }))
    await expect(reads.storeTime?.()).rejects.toThrow('not async')
    await expect(reads.storeIdentity?.()).rejects.toThrow('not async')
  })

  it('compare only what has not expired once a time is certain, and everything before', async () => {
    const store = durable()
    await store.open()
    const [live, expired] = [make.token(), make.token()]
    const endsAt = (at: number) => ({ before: at, expiresAt: at })
    const past = NOW - MAX_SKEW_MS - 2 * HOUR
    await store.revoke(make.revocation('token', live.id, endsAt(NOW + HOUR)))
    await store.revoke(make.revocation('token', expired.id, endsAt(past)))
    for (const [time, count] of [
      [new FleetTime(), 2],
      [agreed(NOW), 1],
    ] as const) {
      const { reads } = readsOf(store, { time })
      const into = new RevocationIndex({ max: 100 })
      await reads.reconcile?.all(into)
      expect(into.size).toBe(count)
    }
  })
})
