/**
 * Reports the calls of administrators that were refused.
 *
 * @module
 */
import { WatchwordError, type WatchwordErrorCode } from '../errors.js'
import type { ResolvedClock } from '../lib/clock.js'
import { MINUTE } from '../lib/duration.js'
import { readField } from '../lib/fields.js'
import { isName } from '../lib/name.js'
import { isQuotable } from '../lib/quote.js'
import type { AuditContent, AuditTrail } from '../observe/audit/trail.js'
import type { ResolvedOptions } from '../options/options.js'
import { isUlid } from '../token/claims.js'

/** Outages and mistakes of the program: the call was not refused. */
const NO_REFUSAL: ReadonlySet<WatchwordErrorCode> = new Set([
  'ERR_INVALID_ARGUMENT',
  'ERR_CLOSED',
  'ERR_STORE_UNAVAILABLE',
  'ERR_FEED_UNAVAILABLE',
  'ERR_REVOCATION_UNCERTAIN',
  'ERR_KEY_LOOKUP_PENDING',
  'ERR_ROOT_KEY',
  'ERR_NO_SIGNING_KEY',
])

// A token holder can cause refusals by an endpoint, and must not be able to fill the store.
const MAX_A_MINUTE = 100
const KEY_ID = /^k4\.lid\.[A-Za-z0-9_-]{44}$/

/** What the call was about, as far as the caller passed it: never a token. */
type Named = Readonly<
  Partial<Record<'actor' | 'id' | 'keyId' | 'subject' | 'policy' | 'audience', unknown>>
>

/** The parts that refusals are reported with. */
interface RefusalParts {
  readonly clock: ResolvedClock
  readonly trail: AuditTrail
  readonly options: Pick<ResolvedOptions, 'policies' | 'audiences'>
}

/** Runs calls, and reports those that are refused. */
export class Refusals {
  readonly #parts: RefusalParts
  #minute = Number.NaN
  #count = 0
  #unreported = 0

  constructor(parts: RefusalParts) {
    this.#parts = parts
  }

  /** Runs one call. `about` is only called after a refusal. */
  async follow<T>(operation: string, call: () => Promise<T>, about: () => Named): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof WatchwordError && !NO_REFUSAL.has(error.code))
        this.#report(operation, error.code, about)
      throw error
    }
  }

  #report(operation: string, code: WatchwordErrorCode, about: () => Named): void {
    const minute = Math.floor(this.#parts.clock.monotonic() / MINUTE)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#count = 0
    }
    if (++this.#count > MAX_A_MINUTE) {
      this.#unreported++
      return
    }
    const count = this.#unreported
    this.#unreported = 0
    const named = this.#textsOf(about)
    const event: AuditContent = { action: 'refused', operation, code, actor: 'unknown', ...named }
    const { trail } = this.#parts
    if (trail.isKept) trail.keep(trail.draft(count === 0 ? event : { ...event, count }))
  }

  // Getters of the caller may throw, and fields may have any value, also a secret that was passed in the wrong place.
  #textsOf(about: () => Named): Readonly<Record<string, string>> {
    const { policies, audiences } = this.#parts.options
    const isKnown: Readonly<Record<keyof Named, (text: string) => boolean>> = {
      actor: (text) => isName(text, 256) && isQuotable(text),
      subject: (text) => isName(text, 1024) && isQuotable(text),
      id: isUlid,
      keyId: (text) => KEY_ID.test(text),
      policy: (text) => policies.has(text),
      audience: (text) => audiences.includes(text),
    }
    try {
      return Object.fromEntries(
        Object.entries(about()).filter(
          (entry): entry is [keyof Named, string] =>
            typeof entry[1] === 'string' && isKnown[entry[0] as keyof Named](entry[1]),
        ),
      )
    } catch {
      return {}
    }
  }
}

/** One field of what a caller passed. */
export function given(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? readField(value, field) : undefined
}
