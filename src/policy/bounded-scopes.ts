/**
 * The scopes that the restrictions of a token leave.
 *
 * @module
 */
import type { Bounds } from './limits.js'
import { touches } from './restriction.js'
import { coveredByAny, intersectScopes } from './scopes.js'

/** The scopes that bounds leave. */
export class BoundedScopes {
  readonly #within: readonly string[]
  readonly #deny: readonly string[]

  constructor(granted: readonly string[], { to, deny }: Bounds) {
    this.#within = to.reduce(intersectScopes, granted)
    this.#deny = deny
  }

  /**
   * The scopes as a list. A scope with a wildcard that covers a lost scope is omitted as a whole, since a list cannot
   * express the rest; {@link covers} still accepts the rest.
   */
  get list(): readonly string[] {
    if (this.#deny.length === 0) return this.#within
    return Object.freeze(this.#within.filter((scope) => !this.#isLost(scope)))
  }

  /** Whether this scope is left. */
  covers(demanded: string): boolean {
    return coveredByAny(this.#within, demanded) && !this.#isLost(demanded)
  }

  #isLost(scope: string): boolean {
    return this.#deny.some((pattern) => touches(pattern, scope))
  }
}
