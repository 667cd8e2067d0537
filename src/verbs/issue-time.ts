/**
 * The issue time of a token.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'

/** Inputs of the issue time; every authority has them. */
export interface IssueClock {
  readonly options: { readonly clockToleranceMs: number }
  readonly clock: ResolvedClock
  readonly index: RevocationIndex
}

// A subject may be revoked several times in one millisecond, even with a tolerance of 0.
const LEAST_AHEAD_MS = 10

/** How far ahead of the clock a token may be dated, in milliseconds: every node accepts it immediately. */
export function maxAheadMs({ options }: Pick<IssueClock, 'options'>): number {
  return Math.max(options.clockToleranceMs, LEAST_AHEAD_MS)
}

/**
 * The issue time of a new token: now, but after every revocation by time that covers it, so a token issued right after
 * its subject was revoked is not affected. Throws `ERR_REVOKED_AHEAD` if no such time is valid now.
 */
export function issueTime(core: IssueClock, subject: string, audience: string): number {
  const { clock, index } = core
  const now = clock.now()
  // After a small step back, the clock is judged by its highest time.
  const latest = Math.max(now, clock.judged()) + maxAheadMs(core)
  if (index.watermark(subject, audience) >= latest) index.clampFuture()
  const issuedAt = Math.max(now, index.watermark(subject, audience) + 1)
  if (issuedAt <= latest) return issuedAt
  const ahead = issuedAt - now
  throw new WatchwordError(
    'ERR_REVOKED_AHEAD',
    `a revocation covers everything issued in the next ${ahead} ms, because the clock of a node was ahead; retry in ${issuedAt - latest} ms`,
    { retryAt: now + issuedAt - latest },
  )
}
