/**
 * Extracts the token of a request: from the `Authorization` header (RFC 6750) or from `getToken`.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { describe } from '../lib/quote.js'
import type { Refusal, Refusals } from './refusal.js'
import type { RequestAdapter } from './request-adapter.js'

const TCHAR = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/
const SCHEME = 'Bearer '
// Proxies and Web requests join repeated headers into a list, which counts as several credentials.
const JOINED = /,\s*bearer\s/i

/** The token of the header, `undefined` for a request without one, or the rejection of any other header. */
export function readBearer<Request>(
  adapter: RequestAdapter<Request>,
  request: Request,
  refusals: Refusals,
): string | Refusal | undefined {
  const values = adapter.authorization(request)
  const [value] = values
  if (value === undefined) return undefined
  if (values.length > 1 || hasOtherToken(adapter, request)) return refusals.malformed
  if (value.startsWith(SCHEME)) return value.slice(SCHEME.length)
  if (value.slice(0, SCHEME.length - 1).toLowerCase() !== 'bearer') {
    return JOINED.test(value) ? refusals.malformed : refusals.missing
  }
  const next = value.charAt(SCHEME.length - 1)
  if (next === ' ') return value.slice(SCHEME.length)
  // A longer name is another scheme: an unsupported method counts as no credentials (RFC 6750, section 3.1).
  return TCHAR.test(next) ? refusals.missing : refusals.malformed
}

// RFC 6750 defines two more places for a token. A token there in addition to the header counts as a second credential.
function hasOtherToken<Request>(adapter: RequestAdapter<Request>, request: Request): boolean {
  const url = adapter.url(request)
  const query = url.indexOf('?')
  if (query >= 0 && new URLSearchParams(url.slice(query)).has('access_token')) return true
  const form = adapter.form(request)
  return typeof form === 'object' && form !== null && Object.hasOwn(form, 'access_token')
}

/** Throws `ERR_INVALID_ARGUMENT` for values that only an application can return by mistake, not a client as JSON. */
export function refuseMisuse(source: unknown): void {
  const isThenable = typeof (source as { then?: unknown }).then === 'function'
  if (!isThenable && !['function', 'symbol', 'bigint'].includes(typeof source)) return
  throw new WatchwordError(
    'ERR_INVALID_ARGUMENT',
    `getToken: expected a string, undefined or a native promise, got ${isThenable ? 'another thenable' : describe(source)}; ` +
      'make it an async function, or wrap the value in Promise.resolve()',
  )
}

const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** Whether the text has the syntax of a bearer token (RFC 6750, section 2.1). */
export function isWellFormed(token: string): boolean {
  return B64TOKEN.test(token)
}
