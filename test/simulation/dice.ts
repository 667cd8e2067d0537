/**
 * Random numbers from a seed: the same seed gives the same world.
 *
 * @module
 */
import { generator } from '../../src/testkit/random.js'

/** A sequence of random numbers. */
export class Dice {
  readonly #next: () => number

  constructor(seed: string) {
    this.#next = generator(seed)
  }

  /** A number in [0, 1). */
  next = (): number => this.#next() / 2 ** 32

  /** Returns `true` with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** One of these values. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }
}
