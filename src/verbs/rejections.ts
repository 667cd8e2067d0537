/**
 * Rejections as values.
 *
 * @module
 */
import type { Rejected, RejectionCode } from '../types.js'

const rejection = (code: Exclude<RejectionCode, 'insufficient_scope'>): Rejected =>
  Object.freeze({ ok: false, code })

/** The rejection for a requirement that is invalid: no token meets it. */
export const UNREADABLE = Object.freeze({
  ok: false,
  code: 'insufficient_scope',
  missing: Object.freeze([] as const),
} as const)

/** One frozen object per rejection: creating an Error would cost ten times the whole check. */
export const REJECTED = {
  malformed: rejection('malformed'),
  tooLong: rejection('too_long'),
  unknownKey: rejection('unknown_key'),
  invalid: rejection('invalid'),
  claimsInvalid: rejection('claims_invalid'),
  expired: rejection('expired'),
  notYetValid: rejection('not_yet_valid'),
  wrongIssuer: rejection('wrong_issuer'),
  wrongAudience: rejection('wrong_audience'),
  outdated: rejection('outdated'),
  revoked: rejection('revoked'),
  suspended: rejection('suspended'),
  superseded: rejection('superseded'),
  stale: rejection('stale'),
  closed: rejection('closed'),
} as const
