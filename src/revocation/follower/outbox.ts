/**
 * Debts: what a node has revoked, and the log may not have.
 *
 * @module
 */
import {
  combine,
  type FeedEntry,
  isNodeEntry,
  type RevocationEntry,
  targetOf,
} from '../index/entries.js'

/** What one node owes the log, once for each target, however often it was revoked. */
export class Outbox {
  readonly #entries = new Map<string, RevocationEntry>()

  /** How many there are. */
  get size(): number {
    return this.#entries.size
  }

  /** Adds entries; what nodes say to each other is of its time, and is not owed. */
  add(entries: readonly FeedEntry[]): void {
    for (const entry of entries) {
      if (isNodeEntry(entry)) continue
      const key = targetOf(entry)
      const known = this.#entries.get(key)
      this.#entries.set(key, known === undefined ? entry : combine(known, entry))
    }
  }

  /** Whether the entry, or one of the same target, is among them. */
  has(entry: RevocationEntry): boolean {
    return this.#entries.has(targetOf(entry))
  }

  /** The first ones, at most that many. */
  first(count: number): RevocationEntry[] {
    return [...this.#entries.values()].slice(0, count)
  }

  /** Takes out what the log has by now. */
  settle(entries: readonly RevocationEntry[]): void {
    for (const entry of entries) {
      const key = targetOf(entry)
      // It may have been owed again meanwhile, and reach further.
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    }
  }
}
