/**
 * The reads of the store with which the follower fills and checks its index.
 *
 * @module
 */
import type { RevocationFeed } from '../feed/feed.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import type { StoreCall } from '../observe/failures.js'
import {
  backfillChanges,
  backfillIndex,
  backfillRevocations,
  type ReadBackOptions,
} from '../revocation/follower/backfill.js'
import type { FollowerOptions } from '../revocation/follower/follower-options.js'
import { readChanges } from '../store/checked.js'
import type { Store } from '../store/store.js'
import type { FleetTime } from './fleet-time.js'

/** Options of the reads. */
export interface StoreReadOptions extends ReadBackOptions {
  readonly feed: RevocationFeed
  readonly call: StoreCall
  readonly time: FleetTime
}

/** The follower's reads; `undefined` for those that the store does not support. */
export function storeReads(
  options: StoreReadOptions,
): Pick<FollowerOptions, 'backfill' | 'reconcile' | 'storeTime' | 'storeIdentity'> {
  const { store, call, feed, time } = options
  const { durable } = store.supports
  return {
    backfill: durable ? () => backfillIndex({ ...options, now: time.certain() ?? 0 }) : undefined,
    // An in-process log cannot be rolled back by another process.
    reconcile: durable && feed.peek === undefined ? reconcileReads(options) : undefined,
    storeTime: storeTimeOf(store, call),
    storeIdentity: storeIdentityOf(store, call),
  }
}

function reconcileReads(options: StoreReadOptions): NonNullable<FollowerOptions['reconcile']> {
  const { store, call, time, index: known } = options
  return {
    begin: async () => (await call(() => readChanges(store, null, 1))).cursor,
    since: (into, cursor) => backfillChanges({ ...options, index: into, known }, cursor),
    recent: (into, since) => backfillRevocations({ ...options, index: into, known }, since),
    all: async (into) => {
      const now = time.certain() ?? 0
      // The store keeps entries for a while after the log has dropped them; they must not take up space.
      into.forget(now - MAX_SKEW_MS)
      await backfillIndex({ ...options, index: into, known, now })
    },
  }
}

function storeTimeOf(store: Store, call: StoreCall): (() => Promise<number>) | undefined {
  const { now } = store
  return now && (() => call(async () => now.call(store)))
}

function storeIdentityOf(
  store: Store,
  call: StoreCall,
): (() => Promise<string | undefined>) | undefined {
  const { identity } = store
  return identity && (() => call(async () => identity.call(store)))
}
