/**
 * Publishes changes on the audit channel.
 *
 * @module
 */
import type { ResolvedClock } from '../lib/clock.js'
import { type AuditEvent, audits } from './channels.js'

/** The authority that an event is published for. */
export interface AuditSource {
  readonly clock: ResolvedClock
  readonly options: { readonly issuer: string }
}

/** Publishes on the audit channel if it has subscribers. */
export function audit(
  { clock, options }: AuditSource,
  event: Omit<AuditEvent, 'v' | 'at' | 'issuer'>,
): void {
  if (!audits.hasSubscribers) return
  audits.publish({ v: 1, at: clock.reading(), issuer: options.issuer, ...event })
}
