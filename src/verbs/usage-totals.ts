/**
 * The sums of rows of usage, in bounded memory.
 *
 * @module
 */
import type { CallerUse, ScopeUse, UsageRow } from '../store/usage.js'

// Callers beyond this number are counted as one.
const MAX_CALLERS = 100_000

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Adds up rows. */
export class UsageTotals {
  #requests = 0
  #others = 0
  #firstUsedAt: number | null = null
  #lastUsedAt: number | null = null
  readonly #refused = new Map<string, number>()
  readonly #scopes = new Map<string, Writable<ScopeUse>>()
  readonly #callers = new Map<string, Writable<CallerUse>>()

  add({ requests, others, firstUsedAt, lastUsedAt, refused, scopes, callers }: UsageRow): void {
    this.#requests += requests
    this.#others += others
    if (firstUsedAt !== null)
      this.#firstUsedAt = Math.min(this.#firstUsedAt ?? Infinity, firstUsedAt)
    if (lastUsedAt !== null) this.#lastUsedAt = Math.max(this.#lastUsedAt ?? 0, lastUsedAt)
    for (const [code, count] of Object.entries(refused))
      this.#refused.set(code, (this.#refused.get(code) ?? 0) + count)
    for (const use of scopes) this.#addScope(use)
    for (const use of callers) this.#addCaller(use)
  }

  #addScope(use: ScopeUse): void {
    const known = this.#scopes.get(use.scope)
    if (known === undefined) this.#scopes.set(use.scope, { ...use })
    else {
      known.uses += use.uses
      known.lastUsedAt = Math.max(known.lastUsedAt, use.lastUsedAt)
    }
  }

  #addCaller(use: CallerUse): void {
    const key = JSON.stringify([use.address, use.route, use.userAgent])
    const known = this.#callers.get(key)
    if (known !== undefined) known.requests += use.requests
    else if (this.#callers.size >= MAX_CALLERS) this.#others += use.requests
    else this.#callers.set(key, { ...use })
  }

  /**
   * The sums. Scopes and callers are in descending order of use.
   *
   * @param limit - The maximum number of callers; the requests of the rest are added to `others`.
   */
  result(limit = MAX_CALLERS) {
    const scopes = [...this.#scopes.values()]
    const callers = [...this.#callers.values()].sort((a, b) => b.requests - a.requests)
    const rest = callers.slice(limit).reduce((sum, { requests }) => sum + requests, 0)
    return {
      requests: this.#requests,
      refused: Object.fromEntries(this.#refused) as Readonly<Record<string, number>>,
      firstUsedAt: this.#firstUsedAt,
      lastUsedAt: this.#lastUsedAt,
      scopes: scopes.sort((a, b) => b.uses - a.uses || (a.scope < b.scope ? -1 : 1)),
      callers: callers.slice(0, limit) as readonly CallerUse[],
      others: this.#others + rest,
    }
  }
}
