/**
 * Stores the result of a check on the request, and returns it to the handler.
 *
 * @module
 */

import type { WatchwordError } from '../errors.js'
import { bare } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import type { AnyClaims, Verified, WatchSignal } from '../types.js'
import type { TokenAuthority } from './options.js'
import type { RefusalOutcome } from './refusal.js'

/** The result for a request that may pass. */
export class Passed<Claims> {
  readonly ok = true
  /** The principal; `undefined` for an anonymous request, which only `optional` allows. */
  readonly auth: Verified<Claims> | undefined
  /** The authority that checked the token. */
  readonly by: TokenAuthority<Claims>
  /** Headers for the response; names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Ends the response when the token ends; `undefined` without `cut`. */
  readonly life: WatchSignal | undefined

  constructor(
    by: TokenAuthority<Claims>,
    auth: Verified<Claims> | undefined,
    headers: Readonly<Record<string, string>>,
    life?: WatchSignal,
  ) {
    this.life = life
    this.auth = auth
    this.by = by
    this.headers = headers
  }
}
// It inherits nothing: a polluted `then` on `Object.prototype` would make it a thenable.
Object.setPrototypeOf(Passed.prototype, null)

// A registered symbol, because the ESM and the CommonJS copy of the package may run in one process. No client can send
// a symbol.
const AUTH = Symbol.for('watchword.auth')
const REFUSED = Symbol.for('watchword.refused')

interface Slotted {
  [AUTH]?: Passed<unknown>
  [REFUSED]?: RefusalOutcome | undefined
}

/**
 * Returns the principal of the request as established by the guard: deeply frozen, and shared between requests. Throws
 * `ERR_INVALID_ARGUMENT` if no guard ran for this request or it passed as anonymous, so an accidentally unprotected
 * handler fails.
 *
 * @param request - The first argument of a handler: the request; in Koa and Hono the context.
 * @param authority - The authority that must have checked the token. With it, the custom claims have the type of its
 * schema, and a token of another authority of the same service throws.
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
  const { auth } = passedOf(request, authority, 'authOf')
  if (auth !== undefined) return auth
  throw misuse(
    `authOf was called for an anonymous request${placeOf(request)}; where the guard has \`optional: true\`, call optionalAuthOf`,
  )
}

/**
 * Like {@link authOf}, for guards with `optional`: returns `undefined` for an anonymous request. Throws
 * `ERR_INVALID_ARGUMENT` if no guard ran for this request.
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
  return passedOf(request, authority, 'optionalAuthOf').auth
}

function passedOf<Claims>(
  request: object,
  authority: TokenAuthority<Claims> | undefined,
  caller: string,
): Passed<Claims> {
  if (typeof request !== 'object' || request === null) {
    throw misuse(
      `${caller} expects what the framework passes to the handler (in Koa and Hono the context), got ${describe(request)}`,
    )
  }
  const passed = (request as Slotted)[AUTH]
  if (passed === undefined) {
    throw misuse(
      `${caller} was called where no guard ran${placeOf(request)}; put requireToken(watchword, options) before this handler`,
    )
  }
  if (authority === undefined || passed.by === authority) return passed as Passed<Claims>
  throw misuse(
    `${caller} was called with another authority than the one that checked the token${placeOf(request)}; pass the authority that requireToken was given`,
  )
}

/** Stores the result on the handler's argument and overwrites an earlier one. */
export function keepAuth(request: object, passed: Passed<unknown>): void {
  const slots = request as Slotted
  slots[AUTH] = passed
  // Only set if an earlier guard rejected the request and its error handler passed it on.
  if (slots[REFUSED] !== undefined) slots[REFUSED] = undefined
}

/** Stores why the request was rejected, for access logs. Never throws. */
export function keepRefusal(request: unknown, outcome: RefusalOutcome): void {
  try {
    ;(request as Slotted)[REFUSED] = outcome
  } catch {
    // A frozen request keeps nothing, and is rejected all the same.
  }
}

/** What the guards stored on a request: the last rejection, or the last result of a request that passed. */
export function keptOn(request: unknown): {
  readonly passed: Passed<unknown> | undefined
  readonly refused: RefusalOutcome | undefined
} {
  if (typeof request !== 'object' || request === null)
    return { passed: undefined, refused: undefined }
  const { [AUTH]: passed, [REFUSED]: refused } = request as Slotted
  return { passed, refused }
}

/** Stores the result under a name as well, read-only. Throws if the name holds a property that cannot be replaced. */
export function keepNamed(
  holder: object,
  property: string | undefined,
  { auth }: Passed<unknown>,
): void {
  if (property === undefined) return
  const kept = { value: auth, enumerable: true, configurable: true, writable: false }
  Object.defineProperty(holder, property, bare(kept))
}

/** What frameworks know about a request besides client input; all fields are optional. */
interface Placed {
  readonly method?: unknown
  readonly route?: { readonly path?: unknown }
  readonly routeOptions?: { readonly url?: unknown }
  readonly _matchedRoute?: unknown
  readonly req?: { readonly method?: unknown; readonly routePath?: unknown }
}

/** The method and the pattern of the route, for a message; never the path, which may contain a token. */
function placeOf(request: object): string {
  try {
    const { method, route, routeOptions, _matchedRoute, req } = request as Placed
    const patterns = [route?.path, routeOptions?.url, _matchedRoute, req?.routePath]
    const known = [method ?? req?.method, patterns.find((pattern) => typeof pattern === 'string')]
    const place = known.filter((part) => typeof part === 'string').join(' ')
    return place === '' ? '' : ` (${place.slice(0, MAX_PLACE_LENGTH)})`
  } catch {
    return ''
  }
}

const MAX_PLACE_LENGTH = 200

function misuse(message: string): WatchwordError<'ERR_INVALID_ARGUMENT'> {
  return invalidArgument('request', message)
}
