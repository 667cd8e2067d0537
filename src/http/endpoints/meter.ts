/**
 * Counts the calls of a token endpoint.
 *
 * Each budget is a GCRA: one number holds the time until which past calls have used it up. The numbers of clients and
 * tokens are kept in a bounded cache; evicted ones restart.
 *
 * @see ITU-T I.371, annex A: the generic cell rate algorithm
 * @module
 */
import crypto from 'node:crypto'
import type { ResolvedClock } from '../../lib/clock.js'
import { Recent } from '../../lib/recent.js'
import type { Counted, EndpointBudgets } from './budgets.js'

const MAX_REMEMBERED = 10_000

/** The budgets of one endpoint of this node, and their current use. */
export class Meter {
  readonly #budgets: EndpointBudgets
  readonly #clock: Pick<ResolvedClock, 'monotonic'>
  // For each client or token, the time until which past calls have used up its budget.
  readonly #usedUntil = new Recent<number>(MAX_REMEMBERED)

  constructor(budgets: EndpointBudgets, clock: Pick<ResolvedClock, 'monotonic'>) {
    this.#budgets = budgets
    this.#clock = clock
  }

  /** Counts a call. Returns 0 if it is within the budgets, otherwise the wait in milliseconds. */
  call(address: string | undefined): number {
    const client = address === undefined ? 0 : this.#spend('client', address)
    // A client's calls beyond its own budget do not count against the budget of all clients.
    return client > 0 ? client : this.#spend('node', '')
  }

  /** Counts a call about a token, authentic or not. Returns like `call`. */
  token(token: string): number {
    // The text of a token is not stored.
    return this.#budgets.token === undefined
      ? 0
      : this.#spend('token', crypto.hash('sha256', token))
  }

  #spend(counted: Counted, name: string): number {
    const budget = this.#budgets[counted]
    if (budget === undefined) return 0
    const { burst, everyMs } = budget
    const key = `${counted} ${name}`
    const now = this.#clock.monotonic()
    const usedUntil = Math.max(now, this.#usedUntil.get(key) ?? now) + everyMs
    const early = usedUntil - now - burst * everyMs
    if (early > 0) return Math.ceil(early)
    this.#usedUntil.set(key, usedUntil)
    return 0
  }
}
