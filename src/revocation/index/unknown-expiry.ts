/**
 * Revoked tokens whose expiry is known only as an upper bound. They are few, so a Map suffices.
 *
 * @module
 */
import type { TokenEntry } from './entries.js'
import type { Outcome } from './outcome.js'

// The size of a Map entry, with its id.
const ENTRY_BYTES = 140

/** The revoked tokens of one node with inexact expiry. Of two entries for one token the later expiry wins. */
export class UnknownExpiry {
  readonly #expiries = new Map<string, number>()

  /** The number of tokens. */
  get size(): number {
    return this.#expiries.size
  }

  /** The memory used, in bytes. */
  get bytes(): number {
    return this.#expiries.size * ENTRY_BYTES
  }

  /** Whether the token is revoked. */
  has(id: string): boolean {
    return this.#expiries.has(id)
  }

  /**
   * Records one token.
   *
   * @param room - Whether there is space for one more.
   */
  apply({ value, expiresAt }: TokenEntry, room: boolean): Outcome {
    const known = this.#expiries.get(value)
    if (known === undefined && !room) return 'refused'
    this.#expiries.set(value, Math.max(known ?? expiresAt, expiresAt))
    return known === undefined ? 'added' : 'known'
  }

  /** Whether an entry at least as strong is stored. */
  covers({ value, expiresAt }: TokenEntry): boolean {
    const known = this.#expiries.get(value)
    return known !== undefined && known >= expiresAt
  }

  /** All entries. */
  *entries(): Generator<TokenEntry> {
    for (const [value, expiresAt] of this.#expiries)
      yield { kind: 'token', value, expiresAt, loose: true }
  }

  /** Drops entries that expired by this time. */
  forget(before: number): void {
    for (const [value, expiresAt] of this.#expiries)
      if (expiresAt <= before) this.#expiries.delete(value)
  }
}
