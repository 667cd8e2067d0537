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
import {
  isWatch,
  type Watch,
  type Watches,
  type WatchOwner,
  type WatchSettings,
} from './watches.js'

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

/** The settings of a watch for a guard, or from validated options. */
export function watchSettings(
  requirement: CompiledRequirement,
  { maxStalenessMs, onStale }: WatchDefaults,
  {
    marginMs = 0,
    stale = onStale === 'accept' ? 'keep' : 'end',
  }: { readonly marginMs?: number; readonly stale?: 'end' | 'keep' } = {},
): WatchSettings {
  const limitMs = requirement.maxStalenessMs ?? maxStalenessMs
  return { requirement, marginMs, staleMs: stale === 'end' ? limitMs : Number.POSITIVE_INFINITY }
}

/**
 * Watches an accepted result. Throws `ERR_INVALID_ARGUMENT` for anything that is not the result of a check, and for
 * invalid options.
 */
export function watch(
  watches: Watches,
  defaults: WatchDefaults,
  result: unknown,
  rawOptions: unknown,
): WatchSignal {
  const { requirement, margin, stale } = parseInput(schema, rawOptions, 'options')
  const settings = watchSettings(needsOf(requirement), defaults, {
    marginMs: margin === undefined ? 0 : (parseDuration(margin) as number),
    ...(stale === undefined ? {} : { stale }),
  })
  const checked = resultOf(result)
  let held: Watch | undefined
  const owner = new SignalOwner(() => held !== undefined && watches.stop(held))
  const started = checked.ok ? watches.add(checked, settings, owner) : checked
  if (isWatch(started)) held = started
  else owner.end(started)
  return owner.signal
}

function needsOf(given: Requirement | CompiledRequirement | undefined): CompiledRequirement {
  if (given === undefined) return NO_REQUIREMENT
  return given instanceof CompiledRequirement ? given : compileRequirement(given)
}

/** A signal and what it watches. */
class SignalOwner implements WatchOwner {
  readonly signal: WatchSignal
  readonly #controller = new AbortController()

  constructor(stop: () => void) {
    const value = stop
    this.signal = Object.defineProperty(this.#controller.signal, Symbol.dispose, {
      value,
    }) as WatchSignal
  }

  end(reason: Rejected): void {
    this.#controller.abort(reason)
  }
}

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
    const fields = fieldsOf(given, [])
    if (fields['ok'] === false && typeof fields['code'] === 'string') return given as Rejected
    if (principalSchema.safeParse(fields).success) {
      return (Object.isFrozen(given) ? given : Object.freeze(fields)) as Verified<unknown>
    }
  }
  throw invalidArgument(
    'result',
    `expected the result of verify or authenticate, or what authOf(request) returns, got ${describe(given)}`,
  )
}
