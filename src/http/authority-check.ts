/**
 * Validates the arguments of a guard or an endpoint when it is created.
 *
 * @module
 */
import { invalidArgument } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import { isPromise } from './promises.js'

const GUARD_METHODS = ['authenticate', 'require'] as const
const ENDPOINT_METHODS = [...GUARD_METHODS, 'rotate', 'revoke'] as const

/** Throws `ERR_INVALID_ARGUMENT` for an object that cannot check a token. `caller` is the called function. */
export function checkAuthority(authority: unknown, caller: string): void {
  check(authority, caller, GUARD_METHODS)
}

/** Throws `ERR_INVALID_ARGUMENT` for an object that cannot serve the token endpoints. */
export function checkEndpointAuthority(authority: unknown): void {
  check(authority, 'tokenEndpoints', ENDPOINT_METHODS)
}

function check(authority: unknown, caller: string, methods: readonly string[]): void {
  if (typeof authority !== 'object' || authority === null) {
    throw invalidArgument(
      'authority',
      `${caller} expects an authority as its first argument, got ${describe(authority)}; pass the result of await createWatchword(…)`,
    )
  }
  const members = authority as Readonly<Record<string, unknown>>
  const missing = methods.filter((name) => typeof members[name] !== 'function')
  if (missing.length === 0) return
  // A Fastify instance, to which `register(tokenPlugin)` passes itself, is a thenable as well.
  if (isPromise(authority)) {
    throw invalidArgument(
      'authority',
      `${caller} expects an authority, got a promise; createWatchword is asynchronous: write const watchword = await createWatchword(…)`,
    )
  }
  throw invalidArgument(
    'authority',
    `${caller} expects an authority, got an object without ${missing.join('() and ')}(); call ${caller}(watchword) with the result of await createWatchword(…)`,
  )
}

/** Throws `ERR_INVALID_ARGUMENT` for a handler that is not a function. */
export function checkHandler(handler: unknown): void {
  if (typeof handler === 'function') return
  throw invalidArgument(
    'handler',
    `protect expects a function as its second argument, got ${describe(handler)}; write protect(watchword, handler, options)`,
  )
}

const GUARD_OPTIONS =
  "pass an object such as { scopes: ['orders:read'] }, or leave the argument out to accept every valid token"
const ENDPOINT_OPTIONS = 'pass an object of options, or leave the argument out for the defaults'
const UNDEFINED_OPTIONS: Readonly<Record<string, string | undefined>> = Object.assign(
  Object.create(null) as object,
  { tokenEndpoints: ENDPOINT_OPTIONS, rotation: ENDPOINT_OPTIONS, leak: ENDPOINT_OPTIONS },
)

/**
 * The options passed to a function; `{}` if it was called without. Throws `ERR_INVALID_ARGUMENT` for an explicit
 * `undefined`, which is usually a misspelt name.
 */
export function optionsOf<T extends object>(given: readonly [options?: T], caller: string): T {
  if (given.length === 0) return {} as T
  const [options] = given
  if (options !== undefined) return options
  throw invalidArgument(
    'options',
    `${caller} got undefined; ${UNDEFINED_OPTIONS[caller] ?? GUARD_OPTIONS}`,
  )
}
