/**
 * What a follower and its parts are made from.
 *
 * @module
 */

import type { RevocationFeed } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { IncidentKind } from '../../observe/incident-kind.js'
import type { RevocationIndex } from '../index/revocation-index.js'
import type { SealKeys } from '../log/seal.js'

/** The keys of the seals, and where to look for more of them. */
export interface FollowerKeys extends SealKeys {
  /** Sees to it that there is a key to seal with. Rejects with `ERR_NO_SIGNING_KEY` or `ERR_STORE_UNAVAILABLE`. */
  ready(): Promise<unknown>
  /** Reads the store for keys that are not at hand, unless that was just done. Never rejects. */
  refresh(): Promise<void>
}

/** What a store took in lately, by its own order of arrival. */
export interface StoreChanges {
  /** Resolves with a cursor: what is committed later comes after it. */
  begin(): Promise<string>
  /** Puts into an index everything that was committed after the cursor. Resolves with the next cursor. */
  since(into: RevocationIndex, cursor: string): Promise<string>
  /**
   * Puts into an index what was revoked since a time (Unix milliseconds) by the clocks of the nodes: for a node that has
   * just started, and so has no cursor of a time before.
   */
  recent(into: RevocationIndex, since: number): Promise<void>
  /** Puts into an index everything that is kept, and could still be alive. */
  all(into: RevocationIndex): Promise<void>
}

/** What the follower needs. */
export interface FollowerOptions {
  readonly feed: RevocationFeed
  readonly index: RevocationIndex
  readonly keys: FollowerKeys
  readonly clock: ResolvedClock
  /** Names this node to people: in receipts and in health. */
  readonly node: string
  /** How long one call to the feed may take, in milliseconds. */
  readonly deadlineMs: number
  /** How long ago freshness may have been proved, in milliseconds. */
  readonly maxStalenessMs: number
  /** How far the clocks of nodes may differ, in milliseconds, before a beacon counts as wrong. */
  readonly toleranceMs: number
  /** How far they may differ at most, for what cannot be undone, in milliseconds. */
  readonly maxSkewMs: number
  /** The most entries of the index. */
  readonly maxEntries: number
  /** Puts into the index what the store knows to be revoked, where the store outlives the process. */
  readonly backfill: (() => Promise<void>) | undefined
  /** Reads back what the store took in lately, where the store outlives the process and the log does not live in it. */
  readonly reconcile: StoreChanges | undefined
  /** The shortest time between two renewals of a member's entry, in milliseconds. Default: 30 seconds. */
  readonly renewMs?: number
  /** Asks the store which server it is on; `undefined` where it cannot tell. */
  readonly storeIdentity: (() => Promise<string | undefined>) | undefined
  /** Asks the store for its time (Unix milliseconds); `undefined` where the store has no clock. */
  readonly storeTime: (() => Promise<number>) | undefined
  /** Told of what went wrong with the log, and how many events or entries that concerned. */
  readonly onIncident: (kind: IncidentKind, count: number) => void
}
