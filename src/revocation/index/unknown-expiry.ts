/**
 * Revoked tokens whose expiry is known only as an upper bound: few, and so no more than a Map.
 *
 * @module
 */
import type { TokenEntry } from './entries.js'
import type { Outcome } from './token-buckets.js'

// What an entry takes in a Map, with its id.
const ENTRY_BYTES = 140

/** The loose tokens of one node: of two entries for one token the later expiry stands. */
export class UnknownExpiry {
  readonly #expiries = new Map<string, number>()

  /** How many there are. */
  get size(): number {
    return this.#expiries.size
  }

  /** How much memory they take, in bytes. */
  get bytes(): number {
    return this.#expiries.size * ENTRY_BYTES
  }

  /** Whether the token is revoked. */
  has(id: string): boolean {
    return this.#expiries.has(id)
  }

  /**
   * Notes one.
   *
   * @param room - Whether there is room for one more.
   */
  apply({ value, expiresAt }: TokenEntry, room: boolean): Outcome {
    const known = this.#expiries.get(value)
    if (known === undefined && !room) return 'refused'
    this.#expiries.set(value, Math.max(known ?? 0, expiresAt))
    return known === undefined ? 'added' : 'known'
  }

  /** Whether one at least as strong is there. */
  covers({ value, expiresAt }: TokenEntry): boolean {
    const known = this.#expiries.get(value)
    return known !== undefined && known >= expiresAt
  }

  /** All of them. */
  *entries(): Generator<TokenEntry> {
    for (const [value, expiresAt] of this.#expiries)
      yield { kind: 'token', value, expiresAt, loose: true }
  }

  /** Forgets those that had expired by this time. */
  forget(before: number): void {
    for (const [value, expiresAt] of this.#expiries)
      if (expiresAt <= before) this.#expiries.delete(value)
  }
}
