/**
 * Subjects with many live tokens of one policy, found in one pass and in bounded memory.
 *
 * A fixed table counts by a hash, so a subject may be counted together with others. Every subject that reaches the limit
 * is a candidate; the store then tells the true number.
 *
 * @module
 */
import type { TokenInfo } from '../verbs/inputs.js'

const CELLS = 1 << 20
// Beyond this number, candidates are left out, and the count of the finding is a lower bound.
const MAX_CANDIDATES = 10_000

/** A subject and a policy, with one of the tokens. */
export type Holder = Pick<TokenInfo, 'id' | 'subject' | 'policy' | 'owner'>

/** Finds the holders that may have more tokens than a limit. */
export class Crowds {
  readonly #limit: number
  readonly #cells = new Uint32Array(CELLS)
  readonly #candidates = new Map<string, Holder>()

  constructor(limit: number) {
    this.#limit = limit
  }

  add({ id, subject, policy, owner }: TokenInfo): void {
    // The length prefix makes the separator unambiguous.
    const key = `${policy.length}:${policy}${subject}`
    const cell = hash(key) % CELLS
    const count = (this.#cells[cell] as number) + 1
    this.#cells[cell] = count
    if (count <= this.#limit || this.#candidates.size >= MAX_CANDIDATES) return
    if (!this.#candidates.has(key)) this.#candidates.set(key, { id, subject, policy, owner })
  }

  candidates(): Iterable<Holder> {
    return this.#candidates.values()
  }
}

// FNV-1a: only spreads keys over the table, where a collision costs one query.
function hash(text: string): number {
  let sum = 0x811c9dc5
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193)
  return sum >>> 0
}
