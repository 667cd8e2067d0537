/**
 * Debts: what a node has revoked, and the log may not have.
 *
 * @module
 */
import type { FeedEntry, RevocationEntry } from './event.js'

/** What one node owes the log, once each, however often it was revoked. */
export class Debts {
  readonly #entries = new Map<string, RevocationEntry>()

  /** How many there are. */
  get size(): number {
    return this.#entries.size
  }

  /** Adds entries; what nodes say to each other is of its time, and is not owed. */
  add(entries: readonly FeedEntry[]): void {
    for (const entry of entries) {
      if ('until' in entry) continue
      const key = keyOf(entry)
      const known = this.#entries.get(key)
      if (known === undefined || isLater(entry, known)) this.#entries.set(key, entry)
    }
  }

  /** The first ones, at most that many. */
  first(count: number): RevocationEntry[] {
    return [...this.#entries.values()].slice(0, count)
  }

  /** Takes out what the log has by now. */
  settle(entries: readonly RevocationEntry[]): void {
    for (const entry of entries) {
      const key = keyOf(entry)
      // It may have been owed again meanwhile, and reach further.
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    }
  }
}

// Of a watermark, the later one says all that the earlier one does.
function keyOf(entry: RevocationEntry): string {
  const { kind, value } = entry
  return kind === 'token' ? `token ${value} ${entry.from} ${entry.loose}` : `${kind} ${value}`
}

function isLater(entry: RevocationEntry, known: RevocationEntry): boolean {
  return entry.kind !== 'token' && known.kind !== 'token' && entry.before > known.before
}
