/**
 * The kinds of incidents of the revocation log.
 *
 * @module
 */
import type { FeedIncidentKind } from '../feed/feed.js'

/** The incidents of a log, as counted in `health().incidents` and published as `feed.…` on the audit channel. */
export type IncidentKind =
  /** Incidents reported by an adapter. */
  | FeedIncidentKind
  /** An event that no key holder wrote; it was passed over. */
  | 'refused'
  /** A head whose seal does not hold. */
  | 'tampered'
  /** The log shows an old head again and again. */
  | 'frozen'
  /** The log was set back. */
  | 'rollback'
  /** The log was set back, and another history follows. */
  | 'fork'
  /** The log was begun anew, in another epoch. */
  | 'epoch'
  /** The log is gone. */
  | 'missing'
  /** The log was cut short by something other than a node. */
  | 'trimmed'
  /** The log has a hole. */
  | 'gap'
  /** An event is sealed with a key, or written in a form, that this node lacks. */
  | 'unreadable'
  /** The index has no room. */
  | 'full'
  /** This node republished what the log had lost. */
  | 'restored'
  /** The store had revocations or rotations that the log had not brought. */
  | 'reconciled'
  /** The clocks of this node and of the store, or of another node, differ by more than a minute. */
  | 'clock'
