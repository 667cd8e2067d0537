/**
 * The time that a token is issued at.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'

/** What the time of a token is made from; every authority has it. */
export interface IssueClock {
  readonly options: { readonly clockToleranceMs: number }
  readonly clock: ResolvedClock
  readonly index: RevocationIndex
}

// A subject may be revoked several times in one millisecond, also with a tolerance of 0.
const LEAST_AHEAD_MS = 10

/** How far ahead of the clock a token may be dated, in milliseconds: every node takes it for valid at once. */
export function maxAheadMs({ options }: Pick<IssueClock, 'options'>): number {
  return Math.max(options.clockToleranceMs, LEAST_AHEAD_MS)
}

/**
 * When a new token is issued: now, but after everything that was revoked by time, so that a token issued right after
 * its subject was revoked is not caught by it. Throws `ERR_REVOKED_AHEAD` when no token that is valid now would be.
 */
export function issueTime(core: IssueClock, subject: string, audience: string): number {
  const { clock, index } = core
  const now = clock.now()
  // A clock that was stepped back a little is still judged by the time that it had reached.
  const latest = Math.max(now, clock.judged()) + maxAheadMs(core)
  if (index.watermark(subject, audience) >= latest) index.clampFuture()
  const issuedAt = Math.max(now, index.watermark(subject, audience) + 1)
  if (issuedAt <= latest) return issuedAt
  const ahead = issuedAt - now
  throw new WatchwordError(
    'ERR_REVOKED_AHEAD',
    `a revocation covers everything that is issued in the next ${ahead} ms, as when the clock of a node was ahead; retry in ${issuedAt - latest} ms`,
    { retryAt: now + issuedAt - latest },
  )
}
