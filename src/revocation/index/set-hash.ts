/**
 * An order-independent digest of a set: the sum of the hashes of its members. It shows whether two nodes hold the same
 * entries; it does not resist an attacker who chooses the members.
 *
 * @module
 */
import { createHash } from 'node:crypto'

const SEEDS = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344] as const

/** The running sum of a set. */
export class SetHash {
  readonly #sums = new Int32Array(SEEDS.length)

  /** Adds a member that consists of numbers; only the lowest 32 bits of each count. */
  addWords(words: readonly number[]): void {
    SEEDS.forEach((seed, lane) => {
      this.#sums[lane] = (this.#sums[lane] as number) + hash(seed, words)
    })
  }

  /** Adds a text member. */
  addText(text: string): void {
    const bytes = createHash('sha256').update(text).digest()
    this.addWords([...new Int32Array(new Uint8Array(bytes).buffer)])
  }

  /** 32 hexadecimal digits. */
  toString(): string {
    return Array.from(this.#sums, (sum) => (sum >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

// Multiplication spreads a bit upwards, the shift moves it down again.
function hash(seed: number, words: readonly number[]): number {
  let sum: number = seed
  for (const word of words) {
    sum = Math.imul(sum ^ word, 0x85eb_ca6b)
    sum ^= sum >>> 13
    sum = Math.imul(sum, 0xc2b2_ae35)
    sum ^= sum >>> 16
  }
  return sum
}
