/**
 * The outbox: revocations of this node that the log may not have yet.
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

/** The pending entries of one node, one for each target. */
export class Outbox {
  readonly #entries = new Map<string, RevocationEntry>()

  /** The number of pending entries. */
  get size(): number {
    return this.#entries.size
  }

  /** Adds entries. Skips entries about nodes, which are valid only at their own time. */
  add(entries: readonly FeedEntry[]): void {
    for (const entry of entries) {
      if (isNodeEntry(entry)) continue
      const key = targetOf(entry)
      const known = this.#entries.get(key)
      this.#entries.set(key, known === undefined ? entry : combine(known, entry))
    }
  }

  /** Whether the entry, or one of the same target, is pending. */
  has(entry: RevocationEntry): boolean {
    return this.#entries.has(targetOf(entry))
  }

  /** The first entries, up to the given number. */
  first(count: number): RevocationEntry[] {
    return [...this.#entries.values()].slice(0, count)
  }

  /** Removes entries that the log has confirmed. */
  settle(entries: readonly RevocationEntry[]): void {
    for (const entry of entries) {
      const key = targetOf(entry)
      // The entry may have been extended in the meantime.
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    }
  }
}
