/**
 * Counts by name, in bounded memory.
 *
 * @module
 */

// Names beyond this number are counted as one.
const MAX_NAMES = 10_000

/** Counts names. */
export class Counts {
  readonly #counts = new Map<string, number>()
  #others = 0

  add(name: string, count = 1): void {
    const known = this.#counts.get(name)
    if (known === undefined && this.#counts.size >= MAX_NAMES) this.#others += count
    else this.#counts.set(name, (known ?? 0) + count)
  }

  /** The names with the highest counts, highest first, and the sum of all others. */
  largest(max: number): { readonly named: readonly (readonly [string, number])[]; rest: number } {
    const sorted = [...this.#counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    const rest = sorted.slice(max).reduce((sum, [, count]) => sum + count, this.#others)
    return { named: sorted.slice(0, max), rest }
  }
}
