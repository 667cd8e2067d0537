/**
 * Options of a follower and its parts.
 *
 * @module
 */

import type { RevocationFeed } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { IncidentKind } from '../../observe/incident-kind.js'
import type { RevocationIndex } from '../index/revocation-index.js'
import type { SealKeys } from '../log/seal.js'

/** The keys for the seals, and where to load more of them. */
export interface FollowerKeys extends SealKeys {
  /** Ensures that there is a key for sealing. Rejects with `ERR_NO_SIGNING_KEY` or `ERR_STORE_UNAVAILABLE`. */
  ready(): Promise<unknown>
  /** Loads missing keys from the store, unless that was just done. Never rejects. */
  refresh(): Promise<unknown>
}

/** Reads recent revocations from the store, in the store's order of arrival. */
export interface StoreChanges {
  /** Resolves with a cursor. Later commits come after it. */
  begin(): Promise<string>
  /** Loads into an index everything that was committed after the cursor. Resolves with the next cursor. */
  since(into: RevocationIndex, cursor: string): Promise<string>
  /**
   * Loads into an index what was revoked since a time (Unix milliseconds), by the clocks of the nodes. For a node that
   * has just started and so has no earlier cursor.
   */
  recent(into: RevocationIndex, since: number): Promise<void>
  /** Loads into an index every stored revocation that has not expired. */
  all(into: RevocationIndex): Promise<void>
}

/** Options of the follower. */
export interface FollowerOptions {
  readonly feed: RevocationFeed
  readonly index: RevocationIndex
  readonly keys: FollowerKeys
  readonly clock: ResolvedClock
  /** The display name of this node, for receipts and health. */
  readonly node: string
  /** The deadline of one call to the feed, in milliseconds. */
  readonly deadlineMs: number
  /** The maximum age of a freshness proof, in milliseconds. */
  readonly maxStalenessMs: number
  /** The clock skew between nodes above which a beacon is rejected, in milliseconds. */
  readonly toleranceMs: number
  /** The maximum clock skew assumed for irreversible steps, in milliseconds. */
  readonly maxSkewMs: number
  /** The maximum number of entries in the index. */
  readonly maxEntries: number
  /** Backfills the index from the store, if the store outlives the process. */
  readonly backfill: (() => Promise<void>) | undefined
  /** Reads recent revocations from the store, if it outlives the process and does not contain the log. */
  readonly reconcile: StoreChanges | undefined
  /** The shortest time between two renewals of a member's entry, in milliseconds. Default: 30 seconds. */
  readonly renewMs?: number
  /** Returns the id of the store's server, or `undefined` if it is unknown. */
  readonly storeIdentity: (() => Promise<string | undefined>) | undefined
  /** Reads the store's clock (Unix milliseconds); `undefined` if the store has no clock. */
  readonly storeTime: (() => Promise<number>) | undefined
  /** Called with a log incident and the number of events or entries affected. */
  readonly onIncident: (kind: IncidentKind, count: number) => void
}
