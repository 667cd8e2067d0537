/**
 * The kinds of incidents of the revocation log and of the audit.
 *
 * @module
 */
import type { FeedIncidentKind } from '../feed/feed.js'

/** The incidents of a log, as counted in `health().incidents` and published as `feed.…` on the audit channel. */
export type IncidentKind =
  /** Incidents reported by an adapter. */
  | FeedIncidentKind
  /** An event was skipped because it is not authentic. */
  | 'refused'
  /** A head whose seal is invalid. */
  | 'tampered'
  /** The log repeatedly returns an old head. */
  | 'frozen'
  /** The log was rolled back to an earlier position. */
  | 'rollback'
  /** The log was rolled back, and a different history follows. */
  | 'fork'
  /** The log was restarted in another epoch. */
  | 'epoch'
  /** The log no longer exists. */
  | 'missing'
  /** Something other than a node trimmed the log. */
  | 'trimmed'
  /** The log has a gap. */
  | 'gap'
  /**
   * An event uses a key, an encoding or a kind of entry that this node does not have, or a restriction has a state that
   * it does not know and so treats as a suspension.
   */
  | 'unreadable'
  /** The index is full. */
  | 'full'
  /** This node republished events that the log had lost. */
  | 'restored'
  /** The store had revocations or rotations that the log did not contain. */
  | 'reconciled'
  /** The clock of this node differs from that of the store or another node by more than a minute. */
  | 'clock'

/** The incidents of the audit, as counted in `health().incidents` and published as `audit.…` on the audit channel. */
export type AuditIncidentKind =
  /** The tree has fewer rows than before: the last rows were removed, or an older copy of the database was restored. */
  | 'rollback'
  /** The tree has other rows than before: it was replaced. */
  | 'fork'
  /** The checkpoint was removed. */
  | 'missing'
  /** The authority did not seal the checkpoint. */
  | 'tampered'
  /** The checkpoint is sealed with a key that cannot be loaded. */
  | 'unreadable'
  /** Rows that this node wrote were deleted before a node appended them to the tree. */
  | 'deleted'

/** Every incident that is counted in `health().incidents`. */
export type CountedIncident = IncidentKind | `audit.${AuditIncidentKind}`
