/**
 * The bearer decision: from a request to a principal or a complete answer, the same for every framework.
 *
 * RFC 6750 to the letter: one credential, in one `Authorization` header, written `Bearer`, one space, the token.
 *
 * @module
 */
import { resolveClock, systemClock } from '../clock.js'
import { WatchwordError } from '../errors.js'
import { decisions, type RequestContext } from '../observe/channels.js'
import type { CompiledRequirement } from '../requirement.js'
import type { Verified, VerifyResult } from '../types.js'
import type { Passed } from './auth.js'
import { DIRECT, type Direct } from './direct.js'
import { type Handover, makeHandover } from './handover.js'
import {
  type ResolvedTokenOptions,
  resolveTokenOptions,
  type TokenAuthority,
  type TokenOptions,
  type TokenSource,
} from './options.js'
import { makeRefusals, type Refusal, type Refusals } from './refusal.js'

/** How to read a framework's request. */
export interface Carrier<Request> {
  /** Every `Authorization` header, one by one as it was received, so that duplicates are seen. */
  authorization(request: Request): readonly string[]
  /** The target of the request, query included; or the query alone. */
  url(request: Request): string
  /** The fields of a form, where the body is one and was parsed by now. */
  form(request: Request): unknown
  /** Whether the request came over TLS, as far as the framework trusts who says so. */
  isSecure(request: Request): boolean
  /** What the framework knows of the request. */
  context(request: Request): RequestContext
}

/** What becomes of a request. */
export type Outcome<Claims> = Passed<Claims> | Refusal

/** A guard without its framework. */
export interface Guard<Request, Claims> {
  readonly options: ResolvedTokenOptions<Request>
  /** Decides about a request; answers a promise only when there is I/O to do. Never throws, and never rejects. */
  check(request: Request): Outcome<Claims> | Promise<Outcome<Claims>>
  /**
   * Runs what keeps the result on the request; answers why the request may not pass, also when keeping fails. Never
   * throws.
   */
  admit(
    request: Request,
    outcome: Outcome<Claims>,
    keep: (passed: Passed<Claims>) => void,
  ): Refusal | undefined
}

/** Makes a guard. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`, naming the field and the fix. */
export function makeGuard<Request, Claims>(
  authority: TokenAuthority<Claims>,
  options: TokenOptions<Request>,
  carrier: Carrier<Request>,
): Guard<Request, Claims> {
  const resolved = resolveTokenOptions(options)
  const needs = authority.require(resolved.requirement)
  const { realm, resourceMetadata, reasons } = resolved
  const scope = scopeOf(needs)
  const direct = (authority.authenticate as { [DIRECT]?: Direct<Claims> })[DIRECT]
  const check = new Check<Request, Claims>({
    authority,
    direct,
    options: resolved,
    needs,
    carrier,
    refusals: makeRefusals({ realm, resourceMetadata, reasons, scope }),
    handover: makeHandover(authority, direct, resolved),
  })
  return {
    options: resolved,
    check: (request) => check.decide(request),
    admit: (request, outcome, keep) => check.admit(request, outcome, keep),
  }
}

// What would do: all of the one list, and the first of the other.
function scopeOf({ allOf, anyOf }: CompiledRequirement): string {
  return [...new Set([...allOf, ...anyOf.slice(0, 1)])].join(' ')
}

interface Parts<Request, Claims> {
  readonly authority: TokenAuthority<Claims>
  readonly direct: Direct<Claims> | undefined
  readonly options: ResolvedTokenOptions<Request>
  readonly needs: CompiledRequirement
  readonly carrier: Carrier<Request>
  readonly refusals: Refusals
  readonly handover: Handover<Claims>
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
const TCHAR = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/
const SCHEME = 'Bearer '
// Proxies and Web requests join the headers of one name into a list: what was two headers is still two credentials.
const JOINED = /,\s*bearer\s/i

class Check<Request, Claims> {
  readonly #parts: Parts<Request, Claims>
  readonly #anonymous: Passed<Claims>

  constructor(parts: Parts<Request, Claims>) {
    this.#parts = parts
    this.#anonymous = Object.freeze({
      ok: true,
      auth: undefined,
      by: parts.authority,
      headers: NO_HEADERS,
    })
  }

  decide(request: Request): Outcome<Claims> | Promise<Outcome<Claims>> {
    try {
      const { getToken } = this.#parts.options
      const outcome =
        getToken === undefined ? this.#askHeader(request) : this.#askOwn(request, getToken(request))
      return isPromise(outcome) ? this.#bounded(request, outcome) : outcome
    } catch (error) {
      return this.#unavailable(request, error)
    }
  }

  admit(
    request: Request,
    outcome: Outcome<Claims>,
    keep: (passed: Passed<Claims>) => void,
  ): Refusal | undefined {
    if (!outcome.ok) return outcome
    try {
      keep(outcome)
      return undefined
    } catch (error) {
      return this.#unavailable(request, error)
    }
  }

  #askHeader(request: Request): Outcome<Claims> | Promise<Outcome<Claims>> {
    const found = this.#readHeader(request)
    return typeof found === 'string' ? this.#ask(request, found) : found
  }

  /** The token of the header, or what becomes of a request without exactly one. */
  #readHeader(request: Request): string | Outcome<Claims> {
    const { carrier, refusals } = this.#parts
    const values = carrier.authorization(request)
    const [value] = values
    if (value === undefined) return this.#absent()
    if (values.length > 1 || hasOtherToken(carrier, request)) return refusals.malformed
    if (value.startsWith(SCHEME)) return value.slice(SCHEME.length)
    if (value.slice(0, SCHEME.length - 1).toLowerCase() !== 'bearer') {
      return JOINED.test(value) ? refusals.malformed : refusals.missing
    }
    const next = value.charAt(SCHEME.length - 1)
    if (next === ' ') return value.slice(SCHEME.length)
    // A longer name is another scheme: an unsupported method is answered like none (RFC 6750, section 3.1).
    return TCHAR.test(next) ? refusals.missing : refusals.malformed
  }

  #absent(): Outcome<Claims> {
    const { options, refusals } = this.#parts
    return options.optional ? this.#anonymous : refusals.missing
  }

  #askOwn(
    request: Request,
    source: TokenSource | Promise<TokenSource>,
  ): Outcome<Claims> | Promise<Outcome<Claims>> {
    if (isPromise(source)) return source.then((found) => this.#askOwn(request, found))
    if (source === undefined || source === null || source === '') return this.#absent()
    // An application may hand on what a client sent: any JSON, also such as looks like one of our own answers.
    return typeof source === 'string' ? this.#ask(request, source) : this.#parts.refusals.malformed
  }

  #ask(request: Request, token: string): Outcome<Claims> | Promise<Outcome<Claims>> {
    const { authority, direct, needs } = this.#parts
    const context = decisions.hasSubscribers ? this.#contextOf(request) : undefined
    const result =
      direct === undefined
        ? authority.authenticate(token, needs, context)
        : direct.check(token, needs, context)
    return isPromise(result)
      ? result.then((decided) => this.#judge(request, token, decided))
      : this.#judge(request, token, result)
  }

  #judge(
    request: Request,
    token: string,
    result: VerifyResult<Claims>,
  ): Outcome<Claims> | Promise<Outcome<Claims>> {
    const { refusals, options, handover, authority } = this.#parts
    if (result.ok !== true) {
      // Asked last, since a token that is good is well written.
      if (!B64TOKEN.test(token)) return refusals.malformed
      return refusals.of(result.code)
    }
    if (!options.expiryHeaders && !options.rotateDue) return this.#pass(result, NO_HEADERS)
    const headers = options.expiryHeaders ? expiryHeaders(result) : NO_HEADERS
    if (!this.#mayHandOver(request, result)) return this.#pass(result, headers)
    return handover
      .successorOf(token, result)
      .then((more) => ({ ok: true, auth: result, by: authority, headers: { ...headers, ...more } }))
  }

  // The token is good whatever this comes to.
  #mayHandOver(request: Request, auth: Verified<Claims>): boolean {
    const { handover, carrier } = this.#parts
    try {
      return handover.isDue(auth) && carrier.isSecure(request)
    } catch {
      return false
    }
  }

  #pass(auth: Verified<Claims>, headers: Readonly<Record<string, string>>): Passed<Claims> {
    return { ok: true, auth, by: this.#parts.authority, headers }
  }

  // Observation decides nothing: if it fails, there is none.
  #contextOf(request: Request): RequestContext | undefined {
    const { carrier, options } = this.#parts
    try {
      const known = carrier.context(request)
      return options.context === undefined ? known : { ...known, ...options.context(request) }
    } catch {
      return undefined
    }
  }

  /** An answer in time, whatever is waited for: the authority bounds its own I/O, but not an application's. */
  #bounded(request: Request, outcome: Promise<Outcome<Claims>>): Promise<Outcome<Claims>> {
    const { direct, options } = this.#parts
    const clock = direct?.clock ?? SYSTEM_CLOCK
    return new Promise((resolve) => {
      const timer = clock.setTimer(() => {
        const late = `the token was not checked within ${options.timeoutMs} ms`
        resolve(this.#unavailable(request, new WatchwordError('ERR_STORE_UNAVAILABLE', late)))
      }, options.timeoutMs)
      const settle = (final: Outcome<Claims>) => {
        timer.cancel()
        resolve(final)
      }
      outcome.then(settle, (error: unknown) => settle(this.#unavailable(request, error)))
    })
  }

  #unavailable(request: Request, error: unknown): Refusal {
    const { options, refusals } = this.#parts
    try {
      const told: unknown = options.onError?.(error, request)
      if (isPromise(told)) told.catch(() => undefined)
    } catch {
      // Whoever is told of an error can add none.
    }
    return refusals.unavailable(error)
  }
}

const SYSTEM_CLOCK = resolveClock(systemClock)

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

// RFC 6750 knows two more places for a token. One in either of them beside the header makes two credentials.
function hasOtherToken<Request>(carrier: Carrier<Request>, request: Request): boolean {
  const url = carrier.url(request)
  const query = url.indexOf('?')
  if (query >= 0 && new URLSearchParams(url.slice(query)).has('access_token')) return true
  const form = carrier.form(request)
  return typeof form === 'object' && form !== null && Object.hasOwn(form, 'access_token')
}

/** RFC 3339, in UTC. The names are our own: no standard has any. */
function expiryHeaders({
  expiresAt,
  rotateAt,
}: Verified<unknown>): Readonly<Record<string, string>> {
  return {
    'token-expires': new Date(expiresAt).toISOString(),
    'token-rotate-after': new Date(rotateAt).toISOString(),
  }
}
