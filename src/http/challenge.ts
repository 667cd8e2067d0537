/**
 * The `WWW-Authenticate` challenge of RFC 6750, written in one place.
 *
 * @module
 */

/** What a challenge says, in the order in which it is said. */
export interface ChallengeParams {
  readonly realm?: string
  /** An error code of RFC 6750, section 3.1; absent when no credentials were sent. */
  readonly error?: string
  readonly error_description?: string
  /** Scopes that would do, separated by spaces. */
  readonly scope?: string
  /** Where the resource's metadata is: RFC 9728, section 5.1. */
  readonly resource_metadata?: string
}

/**
 * Formats a challenge as RFC 9110, section 11.2, and RFC 6750, section 3, have it. Whatever the values hold, the answer
 * is one line of printable ASCII with the parameters that were given and no other: quotes and backslashes are escaped,
 * and characters that cannot stand in a header become `?`.
 *
 * @example
 * ```ts
 * import { formatChallenge } from 'watchword/node'
 *
 * console.log(formatChallenge({ realm: 'orders', error: 'invalid_token' }))
 * // Bearer realm="orders", error="invalid_token"
 * ```
 */
export function formatChallenge(params: ChallengeParams): string {
  const written = Object.entries(params)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${quoted(value)}`)
  return written.length === 0 ? 'Bearer' : `Bearer ${written.join(', ')}`
}

const quoted = (value: string): string =>
  `"${value.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
