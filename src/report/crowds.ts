/**
 * Subjects with many live tokens of one policy, found in one pass and in bounded memory.
 *
 * Fixed tables count by different hashes (a count-min sketch), so a subject may be counted together with others, but
 * rarely in every table. A subject that exceeds the limit in all of them is a candidate; the store has the true number.
 *
 * @module
 */
import type { TokenInfo } from '../verbs/inputs.js'

const CELLS = 1 << 20
const TABLES = 3
// Beyond this number, candidates are left out, and the count of the finding is a lower bound.
const MAX_CANDIDATES = 10_000

/** A subject and a policy, with one of the tokens. */
export type Holder = Pick<TokenInfo, 'id' | 'subject' | 'policy' | 'owner'>

/** Finds the holders that may have more tokens than a limit. */
export class Crowds {
  readonly #limit: number
  readonly #cells = new Uint32Array(CELLS * TABLES)
  readonly #candidates = new Map<string, Holder>()

  constructor(limit: number) {
    this.#limit = limit
  }

  add({ id, subject, policy, owner }: TokenInfo): void {
    // The length prefix makes the separator unambiguous.
    const key = `${policy.length}:${policy}${subject}`
    const count = this.#increment(hash(key))
    if (count <= this.#limit || this.#candidates.size >= MAX_CANDIDATES) return
    if (!this.#candidates.has(key)) this.#candidates.set(key, { id, subject, policy, owner })
  }

  /** Returns the smallest of the new counts: the one with the fewest others in it. */
  #increment(sum: number): number {
    let least = Number.POSITIVE_INFINITY
    for (let table = 0, word = sum; table < TABLES; table++, word = mixed(word)) {
      const cell = table * CELLS + (word % CELLS)
      const count = (this.#cells[cell] as number) + 1
      this.#cells[cell] = count
      least = Math.min(least, count)
    }
    return least
  }

  candidates(): Iterable<Holder> {
    return this.#candidates.values()
  }
}

// The finalizer of MurmurHash3: two words that share a cell are unlikely to share the next one.
function mixed(word: number): number {
  const once = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return (twice ^ (twice >>> 16)) >>> 0
}

// FNV-1a: only spreads keys over the table, where a collision costs one query.
function hash(text: string): number {
  let sum = 0x811c9dc5
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193)
  return sum >>> 0
}
