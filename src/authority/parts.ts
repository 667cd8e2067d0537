/**
 * The parts of one authority.
 *
 * @module
 */
import type { VerifiedCache } from '../cache/verified-cache.js'
import type { FeedKeyring } from '../keys/feed-keyring.js'
import type { Timer } from '../lib/clock.js'
import type { Failures } from '../observe/failures.js'
import type { LastUseRecorder } from '../observe/usage/last-use.js'
import type { Follower } from '../revocation/follower/follower.js'
import type { Core } from '../verbs/core.js'
import type { Entry } from '../verbs/entry.js'
import type { Watches } from '../verbs/watches.js'
import type { AuditParts } from './audit-parts.js'
import type { IncidentCounter } from './incident-counter.js'
import type { UsageParts } from './usage.js'

/** The parts of one authority and its state. */
export interface Parts extends Core {
  readonly follower: Follower
  readonly feedKeyring: FeedKeyring
  readonly tagKeyring: FeedKeyring
  /** Incidents of the feed so far. */
  readonly incidents: IncidentCounter
  /** Why the store fails, for reads or for writes. */
  readonly storeFailures: Failures
  /** What keeps the audit; `undefined` if it is not kept. */
  readonly auditing: AuditParts | undefined
  readonly lastUse: LastUseRecorder
  /** `undefined` for a store that keeps no usage. */
  readonly usage: UsageParts | undefined
  readonly cache: VerifiedCache<Entry>
  readonly watches: Watches
  readonly state: { closed: boolean; sweep: Timer | undefined; purgeAt: number }
}
