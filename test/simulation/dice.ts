/**
 * Chance from a seed: the same seed, the same world.
 *
 * @module
 */
import { generator } from '../../src/testkit/random.js'

/** A row of throws. */
export class Dice {
  readonly #next: () => number

  constructor(seed: string) {
    this.#next = generator(seed)
  }

  /** A number in [0, 1). */
  next = (): number => this.#next() / 2 ** 32

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** One of these. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }
}
