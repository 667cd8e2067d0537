/**
 * What `health()` reports.
 *
 * @module
 */
import type { KeyInfo } from '../keys/key-info.js'
import type { Failure } from '../observe/failures.js'
import type { IncidentKind } from '../observe/incident-kind.js'
import type { Standing } from '../revocation/follower/standing.js'

/** How an authority stands. */
export interface Health extends Standing {
  /** `live`: verifies; `stale`: cannot prove that it knows every revocation; `closed`. */
  readonly status: 'live' | 'stale' | 'closed'
  /** How long ago freshness was last proved, in milliseconds; infinite: never. */
  readonly freshnessMs: number
  /** The option `maxStaleness`, in milliseconds. */
  readonly maxStalenessMs: number
  /** Where this node stands in the feed. */
  readonly position: { readonly epoch: string; readonly seq: number }
  /** How many events of the feed this node has not applied, as far as it knows. */
  readonly lag: number
  /** How many events were passed over because they are not authentic. */
  readonly rejectedEvents: number
  /** How the push channel does: how often it ended, and how often a poll found what it had not brought. */
  readonly pushes: { readonly ends: number; readonly misses: number }
  /** What went wrong with the feed since this node started, and how often; see {@link IncidentKind}. */
  readonly incidents: Readonly<Partial<Record<IncidentKind, number>>>
  /** When each kind of incident was last noticed, in Unix milliseconds. */
  readonly incidentTimes: Readonly<Partial<Record<IncidentKind, number>>>
  /**
   * Why the feed cannot be read right now, or else why it cannot be written, with a `reason` for programs, and since when;
   * `null` while both work.
   */
  readonly feedFailure: Failure | null
  /** Why the store cannot be read, or else written; a failure of a write is shown until such a write succeeds. */
  readonly storeFailure: Failure | null
  /** How many revocations of this node the feed has not confirmed; they are offered to it until it does. */
  readonly pendingRevocations: number
  /** How many revocations are held in memory. */
  readonly revocations: number
  /** How many bytes they take, as estimated. */
  readonly revocationBytes: number
  /** The most that are held: the option `maxRevocations`. */
  readonly maxRevocations: number
  /**
   * Whether this node had no room for a revocation. It rejects every token as `stale` then, whatever `onStale` says, until
   * enough revocations have expired or it is restarted with a higher `maxRevocations`.
   */
  readonly revocationsFull: boolean
  /** The name of this node. */
  readonly node: string
  /** The name of the store. */
  readonly store: string
  /** The name of the feed. */
  readonly feed: string
  /** Every key of the authority, with its state, its times and its age. */
  readonly keys: readonly (KeyInfo & {
    /** How long ago it was made, in milliseconds. */
    readonly ageMs: number
  })[]
  /** How many stored keys no given root key opens. */
  readonly unreadableKeys: number
  /** How many opened tokens are cached, and in how many bytes. */
  readonly cache: { readonly tokens: number; readonly bytes: number }
}
