/**
 * Reports events that are not written together with a change.
 *
 * @module
 */
import type { ResolvedClock } from '../lib/clock.js'
import type { AuditContent, AuditTrail } from './audit/trail.js'

/** The authority that an event is published for. */
export interface AuditSource {
  readonly clock: ResolvedClock
  readonly trail: AuditTrail
}

/** Publishes an event that no change of the store belongs to, and keeps it. */
export function audit({ trail }: AuditSource, content: AuditContent): void {
  trail.note(content)
}
