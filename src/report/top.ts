/**
 * The largest items of a stream, in bounded memory.
 *
 * @module
 */
import type { Counts } from '../lib/counts.js'
import type { Bar } from './types.js'

/** Keeps the items with the highest rank. */
export class Top<T> {
  readonly #max: number
  readonly #rank: (item: T) => number
  #items: T[] = []

  constructor(max: number, rank: (item: T) => number) {
    this.#max = max
    this.#rank = rank
  }

  add(item: T): void {
    this.#items.push(item)
    // Sorted only once in a while, so adding takes constant time on average.
    if (this.#items.length >= 2 * this.#max) this.#items = this.sorted()
  }

  /** The items in descending order of rank. */
  sorted(): T[] {
    return this.#items.sort((a, b) => this.#rank(b) - this.#rank(a)).slice(0, this.#max)
  }
}

/** The names with the highest counts, and the sum of all others as a last bar with the label `others`. */
export function barsOf(counts: Counts, max: number, others: string): readonly Bar[] {
  const { named, rest } = counts.largest(max)
  const bars = named.map(([label, count]) => ({ label, count }))
  return rest === 0 ? bars : [...bars, { label: others, count: rest }]
}
