/**
 * A follower with its index and nothing else of an authority: for tests of what happens inside.
 *
 * @module
 */
import type { RevocationFeed } from 'watchword/feed'
import type { ManualClock } from 'watchword/testkit'
import { resolveClock } from '../../src/lib/clock.js'
import type { IncidentKind } from '../../src/observe/incident-kind.js'
import { Follower } from '../../src/revocation/follower/follower.js'
import type { StoreChanges } from '../../src/revocation/follower/follower-options.js'
import { RevocationIndex } from '../../src/revocation/index/revocation-index.js'
import type { SealKeys } from '../../src/revocation/log/seal.js'
import { drive, MINUTE } from './fleet.js'

/** What a test may choose. */
export interface FollowerWish {
  readonly clock: ManualClock
  readonly feed: RevocationFeed
  readonly keys: SealKeys
  readonly node?: string
  readonly backfill?: (index: RevocationIndex) => Promise<void>
  readonly reconcile?: StoreChanges
  readonly storeTime?: () => Promise<number>
  /** The longest log without a snapshot, in events. */
  readonly maxLog?: number
  readonly maxEntries?: number
}

/** The follower, and what it knows. */
export interface FollowerNode {
  readonly follower: Follower
  readonly index: RevocationIndex
  readonly incidents: Partial<Record<IncidentKind, number>>
  /** Pulls until it is live. Rejects as `Follower.start` does. */
  start(): Promise<void>
}

export function followerNode(wish: FollowerWish): FollowerNode {
  const {
    clock,
    feed,
    keys,
    node = 'node',
    backfill,
    reconcile,
    storeTime,
    maxLog,
    maxEntries = 1_000_000,
  } = wish
  const index = new RevocationIndex({ max: maxEntries })
  const incidents: Partial<Record<IncidentKind, number>> = {}
  const options = {
    feed,
    index,
    keys: { ...keys, ready: async () => {}, refresh: async () => {} },
    clock: resolveClock(clock),
    node,
    deadlineMs: 2000,
    maxStalenessMs: 5000,
    toleranceMs: 1000,
    maxSkewMs: MINUTE,
    maxEntries,
    backfill: backfill && (() => backfill(index)),
    reconcile,
    storeTime,
    storeIdentity: undefined,
    onIncident: (kind: IncidentKind, count: number) => {
      incidents[kind] = (incidents[kind] ?? 0) + count
    },
    ...(maxLog === undefined ? {} : { maxLog }),
  }
  const follower = new Follower(options)
  follower.hold()
  return { follower, index, incidents, start: () => drive(clock, follower.start()) }
}
