/**
 * Where the result of a check is kept on a request, and how a handler reads it.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { AnyClaims, Verified } from '../types.js'
import type { TokenAuthority } from './options.js'

/** A request that may pass. */
export interface Passed<Claims> {
  readonly ok: true
  /** Who it is; `undefined`: anonymous, which only `optional` lets pass. */
  readonly auth: Verified<Claims> | undefined
  /** The authority that says so. */
  readonly by: TokenAuthority<Claims>
  /** What to tell the client with the answer; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

// Registered, since the ESM and the CommonJS copy of the package may meet in one process. No client can send a symbol.
const AUTH = Symbol.for('watchword.auth')

interface Slotted {
  [AUTH]?: Passed<unknown>
}

/**
 * Who sent the request, as the guard established it: deeply frozen, and shared between requests. Throws
 * `ERR_INVALID_ARGUMENT` when no guard let this request pass, or let it pass as anonymous: a handler that was left
 * unprotected by mistake fails.
 *
 * @param request - What the framework hands to a handler: the request, in Koa and Hono the context.
 * @param authority - The authority that must have checked the token. With it, the custom claims are typed as its schema
 * has them, and a token of another authority of the same service throws.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { authOf, protect } from 'watchword/node'
 *
 * const handler = protect(watchword, (request, response) => response.end(authOf(request).subject))
 * createServer(handler).close()
 * ```
 */
export function authOf<Claims = AnyClaims>(
  request: object,
  authority?: TokenAuthority<Claims>,
): Verified<Claims> {
  const auth = optionalAuthOf(request, authority)
  if (auth !== undefined) return auth
  throw misuse('expected one with a token; with `optional`, use optionalAuthOf')
}

/**
 * As {@link authOf}, for guards with `optional`: `undefined` is an anonymous request. Throws `ERR_INVALID_ARGUMENT` when
 * no guard let this request pass.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { optionalAuthOf, requireToken } from 'watchword/node'
 *
 * const guard = requireToken(watchword, { optional: true })
 * createServer((request, response) => {
 *   guard(request, response, () => response.end(optionalAuthOf(request)?.subject ?? 'anonymous'))
 * }).close()
 * ```
 */
export function optionalAuthOf<Claims = AnyClaims>(
  request: object,
  authority?: TokenAuthority<Claims>,
): Verified<Claims> | undefined {
  const passed = (request as Slotted)[AUTH]
  if (passed === undefined) throw misuse('expected one that a guard let pass')
  if (authority !== undefined && passed.by !== authority) {
    throw misuse('expected one that a guard of this authority let pass')
  }
  return passed.auth as Verified<Claims> | undefined
}

/** Keeps the result on what a handler is given, over whatever was there. */
export function keepAuth(request: object, passed: Passed<unknown>): void {
  ;(request as Slotted)[AUTH] = passed
}

/** Keeps the result under a name as well, read-only. Throws where the name is taken by what cannot be replaced. */
export function keepNamed(
  holder: object,
  property: string | undefined,
  { auth }: Passed<unknown>,
): void {
  if (property === undefined) return
  const kept = { value: auth, enumerable: true, configurable: true, writable: false }
  Object.defineProperty(holder, property, kept)
}

function misuse(fix: string): WatchwordError<'ERR_INVALID_ARGUMENT'> {
  return new WatchwordError('ERR_INVALID_ARGUMENT', `request: ${fix}`)
}
