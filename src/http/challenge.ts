/**
 * Formats the `WWW-Authenticate` challenge of RFC 6750.
 *
 * @module
 */

/** The parameters of a challenge, in output order. */
export interface ChallengeParams {
  readonly realm?: string
  /** An error code of RFC 6750, section 3.1; absent when no credentials were sent. */
  readonly error?: string
  readonly error_description?: string
  /** The required scopes, separated by spaces. */
  readonly scope?: string
  /** The URL of the resource's metadata: RFC 9728, section 5.1. */
  readonly resource_metadata?: string
}

/**
 * Formats a challenge per RFC 9110, section 11.2, and RFC 6750, section 3. The result is always one line of printable
 * ASCII with exactly the given parameters: quotes and backslashes are escaped, and characters that a header cannot
 * contain become `?`.
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
