/**
 * The bearer decision: from a request to a principal or a complete response, the same for every framework.
 *
 * It follows RFC 6750: one credential in one `Authorization` header, as `Bearer`, one space and the token.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import { type ResolvedClock, SYSTEM_CLOCK } from '../lib/clock.js'
import { bare } from '../lib/fields.js'
import { invalidArgument, invalidOption } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import { decisions, type RequestContext } from '../observe/channels.js'
import type { Verified, VerifyResult, WatchSignal } from '../types.js'
import { type Direct, directOf } from '../verbs/direct.js'
import type { CompiledRequirement } from '../verbs/requirement.js'
import { keepRefusal, Passed } from './auth.js'
import { checkAuthority, optionsOf } from './authority-check.js'
import { type AutoRotation, makeAutoRotation } from './auto-rotate.js'
import { isWellFormed, readBearer, refuseMisuse } from './credentials.js'
import {
  type ResolvedTokenOptions,
  resolveTokenOptions,
  type TokenAuthority,
  type TokenOptions,
} from './options.js'
import { own } from './own.js'
import { ignoreRejection, inTime, isPromise } from './promises.js'
import { makeRefusals, type Refusal, type Refusals } from './refusal.js'
import { isSecure, type RequestAdapter } from './request-adapter.js'

/** The decision about a request. */
export type Outcome<Claims> = Passed<Claims> | Refusal

/** A framework-independent guard. */
export interface Guard<Request, Claims> {
  readonly options: ResolvedTokenOptions<Request>
  /** Decides about a request; returns a promise only if there is I/O to do. Never throws and never rejects. */
  check(request: Request): Outcome<Claims> | Promise<Outcome<Claims>>
  /**
   * Stores the result on the request through `keep`. Returns the rejection if the request may not pass, including when
   * `keep` throws. Never throws.
   */
  admit(
    request: Request,
    outcome: Outcome<Claims>,
    keep: (passed: Passed<Claims>) => void,
  ): Refusal | undefined
  /** The rejection of a request that passed, and whose token has ended since. */
  ended(request: Request, life: WatchSignal): Refusal
}

/**
 * Creates a guard. `given` are the options that `caller` received, if any. Throws `ERR_INVALID_OPTION` or
 * `ERR_INVALID_ARGUMENT`, naming the field and the fix.
 */
export function makeGuard<Request, Claims>(
  authority: TokenAuthority<Claims>,
  given: readonly [options?: TokenOptions<Request>],
  adapter: RequestAdapter<Request>,
  caller = 'requireToken',
): Guard<Request, Claims> {
  checkAuthority(authority, caller)
  const options = resolveTokenOptions(optionsOf(given, caller))
  if (options.cut && typeof authority.watch !== 'function') throw noWatch()
  const needs = authority.require(options.requirement)
  const { realm, resourceMetadata, reasons } = options
  const { authenticate } = authority
  const known = directOf<Claims>(authenticate)
  // A wrapper may compile requirements into a form that only its own `authenticate` understands.
  const direct = known?.accepts(needs) ? known : undefined
  const check = new Check<Request, Claims>({
    authority,
    authenticate,
    direct,
    options,
    needs,
    adapter,
    refusals: makeRefusals({ realm, resourceMetadata, reasons, scope: scopeOf(needs) }),
    autoRotation: makeAutoRotation(authority, direct, options),
  })
  return {
    options,
    check: (request) => check.decide(request),
    admit: (request, outcome, keep) => check.admit(request, outcome, keep),
    ended: (request, life) => check.ended(request, life),
  }
}

/** The scopes for the challenge: all required scopes, and the first of `anyOf`. */
function scopeOf(needs: unknown): string {
  const [allOf, anyOf] = [own(needs, 'allOf'), own(needs, 'anyOf')]
  const scopes = [
    ...(Array.isArray(allOf) ? allOf : []),
    ...(Array.isArray(anyOf) ? anyOf.slice(0, 1) : []),
  ]
  return [...new Set(scopes.filter((scope) => typeof scope === 'string'))].join(' ')
}

interface GuardParts<Request, Claims> {
  readonly authority: TokenAuthority<Claims>
  /** The authority's `authenticate` when the guard was created. */
  readonly authenticate: unknown
  readonly direct: Direct<Claims> | undefined
  readonly options: ResolvedTokenOptions<Request>
  readonly needs: CompiledRequirement
  readonly adapter: RequestAdapter<Request>
  readonly refusals: Refusals
  readonly autoRotation: AutoRotation<Claims>
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze(bare({}))

class Check<Request, Claims> {
  readonly #parts: GuardParts<Request, Claims>
  readonly #anonymous: Passed<Claims>

  constructor(parts: GuardParts<Request, Claims>) {
    this.#parts = parts
    this.#anonymous = Object.freeze(new Passed<Claims>(parts.authority, undefined, NO_HEADERS))
  }

  decide(request: Request): Outcome<Claims> | Promise<Outcome<Claims>> {
    try {
      const { getToken } = this.#parts.options
      const outcome =
        getToken === undefined
          ? this.#askHeader(request)
          : this.#askSource(request, getToken(request))
      return outcome instanceof Promise ? this.#bounded(request, outcome) : outcome
    } catch (error) {
      return this.#unavailable(request, error)
    }
  }

  admit(
    request: Request,
    outcome: Outcome<Claims>,
    keep: (passed: Passed<Claims>) => void,
  ): Refusal | undefined {
    const refused = outcome.ok ? this.#keepingFault(request, outcome, keep) : outcome
    if (refused !== undefined) keepRefusal(request, refused.outcome)
    return refused
  }

  ended(request: Request, { reason }: WatchSignal): Refusal {
    const refused = this.#parts.refusals.of(own(reason, 'code'))
    keepRefusal(request, refused.outcome)
    return refused
  }

  #keepingFault(
    request: Request,
    passed: Passed<Claims>,
    keep: (passed: Passed<Claims>) => void,
  ): Refusal | undefined {
    let watched: Outcome<Claims> = passed
    try {
      watched = this.#watched(passed)
      if (!watched.ok) return watched
      keep(watched)
      return undefined
    } catch (error) {
      if (watched.ok) watched.life?.[Symbol.dispose]()
      return this.#unavailable(request, error)
    }
  }

  /** Begins to watch the token, where the response is to end with it: only now that nothing else can refuse it. */
  #watched(passed: Passed<Claims>): Outcome<Claims> {
    const { authority, options, needs, refusals } = this.#parts
    const { auth, headers } = passed
    if (!options.cut || auth === undefined) return passed
    const life = authority.watch?.(auth, { requirement: needs })
    if (life === undefined) throw noWatch()
    if (life.aborted) return refusals.of(own(life.reason, 'code'))
    return new Passed(authority, Object.freeze({ ...auth, signal: life }), headers, life)
  }

  #askHeader(request: Request): Outcome<Claims> | Promise<Outcome<Claims>> {
    const { adapter, refusals } = this.#parts
    const found = readBearer(adapter, request, refusals)
    if (found === undefined) return this.#absent()
    return typeof found === 'string' ? this.#ask(request, found) : found
  }

  #absent(): Outcome<Claims> {
    const { options, refusals } = this.#parts
    return options.optional ? this.#anonymous : refusals.missing
  }

  #askSource(request: Request, source: unknown): Outcome<Claims> | Promise<Outcome<Claims>> {
    return isPromise(source) ? this.#awaitSource(request, source) : this.#askText(request, source)
  }

  async #awaitSource(request: Request, source: Promise<unknown>): Promise<Outcome<Claims>> {
    const { direct, options } = this.#parts
    const ms = Math.min(direct?.timeoutMs ?? options.timeoutMs, options.timeoutMs)
    const found = await inTime(this.#clock, ms, source, () =>
      late(`getToken: its promise did not settle within ${ms} ms`),
    )
    return this.#askText(request, found)
  }

  #askText(request: Request, source: unknown): Outcome<Claims> | Promise<Outcome<Claims>> {
    if (typeof source === 'string' && source !== '') return this.#ask(request, source)
    if (source === undefined || source === null || source === '') return this.#absent()
    refuseMisuse(source)
    // An application may return client input: any JSON, even one shaped like a result of this library.
    return this.#parts.refusals.malformed
  }

  #ask(request: Request, token: string): Outcome<Claims> | Promise<Outcome<Claims>> {
    const { authority, authenticate, direct, needs } = this.#parts
    const isWanted = decisions.hasSubscribers || direct?.keepsCallers === true
    const context = isWanted ? this.#contextOf(request) : undefined
    // Checked by identity on every call: a wrapper or replacement of the library's function is never bypassed.
    if (direct === undefined || authority.authenticate !== authenticate) {
      return this.#askAuthority(request, token, context)
    }
    const result = direct.check(token, needs, context)
    return result instanceof Promise
      ? result.then((decided) => this.#judge(request, token, decided))
      : this.#judge(request, token, result)
  }

  async #askAuthority(
    request: Request,
    token: string,
    context: RequestContext | undefined,
  ): Promise<Outcome<Claims>> {
    const { authority, needs } = this.#parts
    return this.#judge(request, token, await authority.authenticate(token, needs, context))
  }

  #judge(
    request: Request,
    token: string,
    result: VerifyResult<Claims>,
  ): Outcome<Claims> | Promise<Outcome<Claims>> {
    const { refusals } = this.#parts
    if (result === undefined || result === null) {
      throw invalidArgument(
        'authority',
        `authenticate resolved with ${describe(result)}; expected the result of a check`,
      )
    }
    if (own(result, 'ok') !== true) {
      // Checked last, since a valid token is well-formed.
      if (!isWellFormed(token)) return refusals.malformed
      return refusals.of(own(result, 'code'))
    }
    return this.#accept(request, token, result as Verified<Claims>)
  }

  #accept(
    request: Request,
    token: string,
    result: Verified<Claims>,
  ): Outcome<Claims> | Promise<Outcome<Claims>> {
    const { options, autoRotation } = this.#parts
    if (!options.expiryHeaders && !options.rotateDue) return this.#pass(result, NO_HEADERS)
    const headers = options.expiryHeaders ? expiryHeaders(result) : NO_HEADERS
    if (!this.#mayHandOver(request, result)) return this.#pass(result, headers)
    return autoRotation
      .successorOf(token, result)
      .then((more) => this.#pass(result, bare({ ...headers, ...more })))
  }

  // The token is valid even if rotation fails.
  #mayHandOver(request: Request, auth: Verified<Claims>): boolean {
    const { autoRotation, adapter, options } = this.#parts
    try {
      return autoRotation.isDue(auth) && isSecure(adapter, request, options.isSecure)
    } catch {
      return false
    }
  }

  #pass(auth: Verified<Claims>, headers: Readonly<Record<string, string>>): Passed<Claims> {
    return new Passed(this.#parts.authority, auth, headers)
  }

  // Observation never affects a decision: if it fails, the decision is published without a context.
  #contextOf(request: Request): RequestContext | undefined {
    const { adapter, options } = this.#parts
    try {
      const known = adapter.context(request)
      return options.context === undefined ? known : { ...known, ...options.context(request) }
    } catch {
      return undefined
    }
  }

  /** Decides within the timeout: the authority bounds its own I/O, but not the application's. */
  #bounded(request: Request, outcome: Promise<Outcome<Claims>>): Promise<Outcome<Claims>> {
    const ms = this.#parts.options.timeoutMs
    return inTime(this.#clock, ms, outcome, () =>
      late(`the token was not checked within ${ms} ms`),
    ).catch((error: unknown) => this.#unavailable(request, error))
  }

  get #clock(): ResolvedClock {
    return this.#parts.direct?.clock ?? SYSTEM_CLOCK
  }

  #unavailable(request: Request, error: unknown): Refusal {
    const { options, refusals } = this.#parts
    try {
      ignoreRejection(options.onError?.(error, request))
    } catch {
      // Errors of the hook are ignored.
    }
    return refusals.unavailable(error)
  }
}

/** The error for an authority that cannot watch. */
export const noWatch = (): WatchwordError<'ERR_INVALID_OPTION'> =>
  invalidOption(
    'cut',
    'expected an authority with watch, as createWatchword returns; a wrapper must pass it on',
  )

const late = (message: string) => new WatchwordError('ERR_STORE_UNAVAILABLE', message)

/** RFC 3339 times in UTC. The header names are specific to this library, since no standard defines any. */
function expiryHeaders({
  expiresAt,
  rotateAt,
}: Verified<unknown>): Readonly<Record<string, string>> {
  return {
    'token-expires': new Date(expiresAt).toISOString(),
    'token-rotate-after': new Date(rotateAt).toISOString(),
  }
}
