/**
 * The lifetimes of a token and its family.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import { type Duration, parseDuration } from '../lib/duration.js'
import { durationText, quote } from '../lib/quote.js'
import { warnOfSeconds } from '../lib/warn.js'
import type { Policy } from './policy.js'

/** The lifetime of a family of this policy, in milliseconds. Throws `ERR_TTL_TOO_LONG`. */
export function familyLifetime(policy: Policy, asked: Duration | undefined): number {
  const { name, maxLifetimeMs } = policy
  const lifetime = asked === undefined ? maxLifetimeMs : (parseDuration(asked) as number)
  if (lifetime <= maxLifetimeMs) return lifetime
  throw new WatchwordError(
    'ERR_TTL_TOO_LONG',
    `maxLifetime: ${durationText(lifetime)} exceeds the maximum of policy ${quote(name)}, which is ${durationText(maxLifetimeMs)}`,
  )
}

/** The lifetime of a token of this policy, in milliseconds. Throws `ERR_TTL_TOO_LONG`. */
export function lifetime(policy: Policy, asked: Duration | undefined): number {
  warnOfSeconds(asked)
  const ttl = asked === undefined ? policy.ttlMs : (parseDuration(asked) as number)
  if (ttl <= policy.ttlMs) return ttl
  throw new WatchwordError(
    'ERR_TTL_TOO_LONG',
    `ttl: ${durationText(ttl)} exceeds the maximum of policy ${quote(policy.name)}, which is ${durationText(policy.ttlMs)}`,
  )
}
