/**
 * The actions of the audit as a list, to check filters.
 *
 * @module
 */
import type { FeedIncidentKind } from '../../feed/feed.js'
import type { AuditAction } from '../channels.js'
import type { AuditIncidentKind, IncidentKind } from '../incident-kind.js'

// The compiler holds the lists to the types.
const CHANGES: Readonly<Record<Exclude<AuditAction, `feed.${string}` | `audit.${string}`>, true>> =
  {
    ...{ 'token.issued': true, 'token.rotated': true, 'token.updated': true },
    ...{ 'token.reused': true, 'token.superseded': true, revoked: true },
    ...{ 'token.suspended': true, 'token.restricted': true, 'token.restored': true },
    ...{ frozen: true, unfrozen: true },
    ...{ 'key.created': true, 'key.unreadable': true, 'key.rewrapped': true },
    ...{ 'key.discarded': true, refused: true, 'store.purged': true, 'store.tampered': true },
  }
const FEED_KINDS: Readonly<Record<FeedIncidentKind | IncidentKind, true>> = {
  ...{ connection: true, junk: true, damaged: true, replaced: true },
  ...{ refused: true, tampered: true, frozen: true, rollback: true, fork: true, epoch: true },
  ...{ missing: true, trimmed: true, gap: true, unreadable: true, full: true },
  ...{ restored: true, reconciled: true, clock: true },
}
const AUDIT_KINDS: Readonly<Record<AuditIncidentKind, true>> = {
  ...{ rollback: true, fork: true, missing: true },
  ...{ tampered: true, unreadable: true, deleted: true },
}

/** Every action that an event of the audit can have. */
export const ACTIONS: readonly string[] = [
  ...Object.keys(CHANGES),
  ...Object.keys(FEED_KINDS).map((kind) => `feed.${kind}`),
  ...Object.keys(AUDIT_KINDS).map((kind) => `audit.${kind}`),
]
