/**
 * `watch`: an `AbortSignal` that aborts as soon as an accepted token would be rejected.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Duration, parseDuration } from '../lib/duration.js'
import { fieldsOf } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { isUlid } from '../token/claims.js'
import type { Rejected, Requirement, Verified, WatchSignal } from '../types.js'
import { CompiledRequirement, compileRequirement, NO_REQUIREMENT } from './requirement.js'
import { sealedOf } from './sealed.js'
import { Watch, type Watches, type WatchSettings } from './watches.js'

/** Options of `watch`. */
export interface WatchOptions {
  /** What the token must go on to meet. Default: that it is valid. */
  readonly requirement?: Requirement | CompiledRequirement
  /** How long before the token's expiry the signal aborts, such as `'30s'`. Default: `0`, at its expiry. */
  readonly margin?: Duration
  /**
   * What happens while this node cannot prove that it knows every revocation. `end`: the signal aborts with `stale`.
   * `keep`: it does not. Default: `end`, or `keep` if the authority has `onStale: 'accept'`.
   */
  readonly stale?: 'end' | 'keep'
}

const schema = strict(
  {
    requirement: optional(
      z.custom<Requirement | CompiledRequirement>(
        (value) => typeof value === 'object' && value !== null,
        "expected a requirement such as { scopes: ['orders:read'] }",
      ),
    ),
    margin: optional(
      z.custom<Duration>(
        (value) => parseDuration(value) !== undefined,
        "expected a duration such as '30s' (ms, s, m, h, d or w)",
      ),
    ),
    stale: optional(
      z.custom<'end' | 'keep'>(
        (value) => value === 'end' || value === 'keep',
        "expected 'end' or 'keep'",
      ),
    ),
  },
  "expected an object such as { margin: '30s' }",
)

/** The defaults of an authority. */
export interface WatchDefaults {
  readonly maxStalenessMs: number
  readonly onStale: 'reject' | 'accept'
}

type Stale = NonNullable<WatchOptions['stale']>

/** The verb `watch` of an authority. */
export class SignalWatches {
  readonly #watches: Watches
  readonly #defaults: WatchDefaults
  /** The settings without options, which all watches of a requirement share. */
  readonly #usual = new WeakMap<CompiledRequirement, WatchSettings>()

  constructor(watches: Watches, defaults: WatchDefaults) {
    this.#watches = watches
    this.#defaults = defaults
  }

  /**
   * Watches an accepted result. Throws `ERR_INVALID_ARGUMENT` for anything that is not the result of a check, and for
   * invalid options.
   */
  watch(result: unknown, rawOptions: unknown): WatchSignal {
    const { requirement, margin, stale } = parseInput(schema, rawOptions, 'options')
    const needs = needsOf(requirement)
    const settings =
      margin === undefined && stale === undefined
        ? this.#usualFor(needs)
        : this.#settings(needs, parseDuration(margin ?? 0) as number, stale)
    const checked = resultOf(result)
    if (!checked.ok) return withDispose(AbortSignal.abort(reasonOf(checked)))
    const made = new SignalWatch(checked, settings, this.#watches)
    const rejected = this.#watches.add(made)
    if (rejected !== undefined) made.end(rejected)
    return made.signal
  }

  #usualFor(requirement: CompiledRequirement): WatchSettings {
    const known = this.#usual.get(requirement)
    if (known !== undefined) return known
    const made = this.#settings(requirement, 0, undefined)
    this.#usual.set(requirement, made)
    return made
  }

  #settings(
    requirement: CompiledRequirement,
    marginMs: number,
    stale: Stale = this.#defaults.onStale === 'accept' ? 'keep' : 'end',
  ): WatchSettings {
    const limitMs = requirement.maxStalenessMs ?? this.#defaults.maxStalenessMs
    return { requirement, marginMs, staleMs: stale === 'end' ? limitMs : Number.POSITIVE_INFINITY }
  }
}

function needsOf(given: Requirement | CompiledRequirement | undefined): CompiledRequirement {
  if (given === undefined) return NO_REQUIREMENT
  return given instanceof CompiledRequirement ? given : compileRequirement(given)
}

const WATCH = Symbol('watch')

/** A watch that aborts a signal. */
class SignalWatch extends Watch {
  readonly #controller = new AbortController()
  readonly #watches: Watches

  constructor(principal: Verified<unknown>, settings: WatchSettings, watches: Watches) {
    super(principal, settings)
    this.#watches = watches
    Object.defineProperty(this.#controller.signal, WATCH, { value: this })
    withDispose(this.#controller.signal)
  }

  get signal(): WatchSignal {
    return this.#controller.signal as WatchSignal
  }

  end(reason: Rejected): void {
    this.#controller.abort(reasonOf(reason))
  }

  stop(): void {
    this.#watches.stop(this)
  }
}

/** The prototype of the signals, so that none of them has a function of its own. */
const WATCHED: object = Object.create(AbortSignal.prototype, {
  [Symbol.dispose]: {
    value(this: { readonly [WATCH]?: SignalWatch }): void {
      this[WATCH]?.stop()
    },
  },
}) as object

// A copy, because `fetch` of Node adds a stack to the reason, and fails on a frozen one.
const reasonOf = (rejected: Rejected): Rejected => ({ ...rejected })

const withDispose = (signal: AbortSignal): WatchSignal =>
  Object.setPrototypeOf(signal, WATCHED) as WatchSignal

const text = z.string()
const count = z.number().check(z.int(), z.nonnegative())
const ulid = z.custom<string>(isUlid)

// What decides about a watch. A result of a check has more fields.
const principalSchema = z.object({
  ok: z.literal(true),
  id: ulid,
  subject: text,
  audience: text,
  scopes: z.array(text),
  policy: text,
  family: ulid,
  generation: count,
  issuedAt: count,
  expiresAt: count,
  rotateAt: z.number(),
  keyId: text,
})

/** The result of a check, as one that cannot change. Throws `ERR_INVALID_ARGUMENT` for any other value. */
function resultOf(given: unknown): Verified<unknown> | Rejected {
  if (typeof given === 'object' && given !== null) {
    const sealed = sealedOf(given)
    if (sealed !== undefined) return sealed
    const fields = fieldsOf(given, [])
    if (fields['ok'] === false && typeof fields['code'] === 'string') return fields as Rejected
    if (principalSchema.safeParse(fields).success)
      return (isConstant(given) ? given : Object.freeze(fields)) as Verified<unknown>
  }
  throw invalidArgument(
    'result',
    `expected the result of verify or authenticate, or what authOf(request) returns, got ${describe(given)}`,
  )
}

/** Whether no field of a result can change, so that it need not be copied. */
const isConstant = (given: object): boolean =>
  Object.isFrozen(given) &&
  Object.values(Object.getOwnPropertyDescriptors(given)).every((field) => 'value' in field)
