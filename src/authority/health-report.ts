/**
 * The report of `health()`.
 *
 * @module
 */
import type { KeyInfo } from '../keys/key-info.js'
import type { Failure } from '../observe/failures.js'
import type { AuditIncidentKind, IncidentKind } from '../observe/incident-kind.js'
import type { Standing } from '../revocation/follower/standing.js'
import type { UsageGap } from '../store/usage.js'

/** The health of an authority. */
export interface Health extends Standing {
  /** `live`: verifies tokens. `stale`: cannot prove that it knows every revocation. `closed`. */
  readonly status: 'live' | 'stale' | 'closed'
  /** How long ago freshness was last proved, in milliseconds; infinite if never. */
  readonly freshnessMs: number
  /** The option `maxStaleness`, in milliseconds. */
  readonly maxStalenessMs: number
  /** The position of this node in the feed. */
  readonly position: { readonly epoch: string; readonly seq: number }
  /** The number of events between this node and the last known head. */
  readonly lag: number
  /** The number of events skipped because they are not authentic. */
  readonly rejectedEvents: number
  /** Counters of the push channel: how often it ended, and how often a poll found an event that it missed. */
  readonly pushes: { readonly ends: number; readonly misses: number }
  /**
   * Incidents of the feed and of the audit since this node started, with their counts; see {@link IncidentKind} and
   * {@link AuditIncidentKind}.
   */
  readonly incidents: Readonly<Partial<Record<IncidentKind | `audit.${AuditIncidentKind}`, number>>>
  /** When each kind of incident was last noticed, in Unix milliseconds. */
  readonly incidentTimes: Readonly<
    Partial<Record<IncidentKind | `audit.${AuditIncidentKind}`, number>>
  >
  /**
   * The failure of reads of the feed, or, if reads work, the failure of writes: a machine-readable `reason` and the
   * start of the outage. `null` while both work.
   */
  readonly feedFailure: Failure | null
  /**
   * The failure of reads of the store, or, if reads work, the failure of writes; `null` while both work. A write
   * failure is reported until such a write succeeds.
   */
  readonly storeFailure: Failure | null
  /** The number of this node's revocations that the feed has not confirmed; the node retries until it does. */
  readonly pendingRevocations: number
  /** The number of revocations in memory. */
  readonly revocations: number
  /** Their estimated size in bytes. */
  readonly revocationBytes: number
  /** The maximum number of revocations: the option `maxRevocations`. */
  readonly maxRevocations: number
  /**
   * Whether this node had no space for a revocation. It then rejects every token as `stale`, regardless of `onStale`,
   * until enough revocations have expired or it is restarted with a higher `maxRevocations`.
   */
  readonly revocationsFull: boolean
  /** The name of this node. */
  readonly node: string
  /** The name of the store. */
  readonly store: string
  /** The name of the feed. */
  readonly feed: string
  /** Every key of the authority, with its state, times and age. */
  readonly keys: readonly (KeyInfo & {
    /** The age of the key in milliseconds. */
    readonly ageMs: number
  })[]
  /** The number of stored keys that none of the root keys can unwrap. */
  readonly unreadableKeys: number
  /** The audit. */
  readonly audit: {
    /** `not kept`: the store does not keep one. `off`: the option `audit` is `false`. */
    readonly status: 'kept' | 'not kept' | 'off'
    /** The number of rows in the tree, when this node last read or extended it. */
    readonly size: number
    /** The number of rows that wait in memory, because the store did not accept them. */
    readonly waiting: number
    /** The number of rows that were lost, because too many waited. */
    readonly lost: number
  }
  /** The number of connections that this node watches: with `watch`, and with `cut` of the guards. */
  readonly connections: { readonly watched: number }
  /** The number of cached tokens and their size in bytes. */
  readonly cache: { readonly tokens: number; readonly bytes: number }
  /**
   * What this node counts about the use of tokens: the time up to which the store has all counts, the number of counters
   * in memory, and the intervals of which counts were lost. `not kept` if the store keeps no usage, or with the option
   * `usage: false`.
   */
  readonly usage:
    | {
        readonly coveredTo: number
        readonly counters: number
        readonly gaps: readonly UsageGap[]
      }
    | 'not kept'
}
