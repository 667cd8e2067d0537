/**
 * Dead tokens of which nobody knows when they expire, only by when they will have: few, and so no more than a Map.
 *
 * @module
 */
import type { TokenEntry } from './event.js'
import { NOT_REVOKED, type Outcome, REVOKED } from './token-buckets.js'

interface LooseToken {
  from: number
  expiresAt: number
}

// What an entry takes in a Map, with its id.
const ENTRY_BYTES = 170

/** The loose tokens of one node: of two entries for one token the earlier death and the later expiry stand. */
export class LooseTokens {
  readonly #tokens = new Map<string, LooseToken>()

  /** How many there are. */
  get size(): number {
    return this.#tokens.size
  }

  /** How much memory they take, in bytes. */
  get bytes(): number {
    return this.#tokens.size * ENTRY_BYTES
  }

  /** From when on the token is dead. */
  deadline(id: string): number {
    return this.#tokens.get(id)?.from ?? NOT_REVOKED
  }

  /**
   * Notes one.
   *
   * @param room - Whether there is room for one more.
   */
  apply({ value, from = REVOKED, expiresAt }: TokenEntry, room: boolean): Outcome {
    const known = this.#tokens.get(value)
    if (known === undefined) {
      if (!room) return 'refused'
      this.#tokens.set(value, { from, expiresAt })
      return 'added'
    }
    known.expiresAt = Math.max(known.expiresAt, expiresAt)
    if (from >= known.from) return 'known'
    known.from = from
    return 'changed'
  }

  /** Whether one at least as strong is there. */
  covers({ value, from = REVOKED, expiresAt }: TokenEntry): boolean {
    const known = this.#tokens.get(value)
    return known !== undefined && known.from <= from && known.expiresAt >= expiresAt
  }

  /** All of them. */
  *entries(): Generator<TokenEntry> {
    for (const [value, { from, expiresAt }] of this.#tokens) {
      const token = { kind: 'token', value, expiresAt, loose: true } as const
      yield from === REVOKED ? token : { ...token, from }
    }
  }

  /** Forgets those that had expired by this time. */
  forget(before: number): void {
    for (const [value, { expiresAt }] of this.#tokens)
      if (expiresAt <= before) this.#tokens.delete(value)
  }
}
