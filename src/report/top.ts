/**
 * The largest items of a stream, in bounded memory.
 *
 * @module
 */
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

// Names beyond this number are counted as one.
const MAX_NAMES = 10_000

/** Counts by name, in bounded memory. */
export class Counts {
  readonly #counts = new Map<string, number>()
  #others = 0

  add(name: string, count = 1): void {
    const known = this.#counts.get(name)
    if (known === undefined && this.#counts.size >= MAX_NAMES) this.#others += count
    else this.#counts.set(name, (known ?? 0) + count)
  }

  /** The names with the highest counts, and the sum of all others as a last bar with the label `others`. */
  bars(max: number, others: string): readonly Bar[] {
    const sorted = [...this.#counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    const rest = sorted.slice(max).reduce((sum, [, count]) => sum + count, this.#others)
    const bars = sorted.slice(0, max).map(([label, count]) => ({ label, count }))
    return rest === 0 ? bars : [...bars, { label: others, count: rest }]
  }
}
