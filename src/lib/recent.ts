/**
 * A bounded map that evicts the least recently used entry.
 *
 * `lru-cache` reads the options of each call through the prototype chain, so one field on a polluted `Object.prototype`
 * makes it throw. The cache of verified tokens passes all options explicitly; this map has only a few thousand entries
 * and does not need that speed.
 *
 * @module
 */

/** Keeps at most `max` values by name. */
export class Recent<V> {
  readonly #max: number
  // A Map keeps insertion order, so the first entry is the least recently used.
  readonly #values = new Map<string, V>()

  constructor(max: number) {
    this.#max = max
  }

  /** Returns the value of this name and marks it as used. */
  get(name: string): V | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    this.#values.delete(name)
    this.#values.set(name, value)
    return value
  }

  set(name: string, value: V): void {
    this.#values.delete(name)
    this.#values.set(name, value)
    if (this.#values.size <= this.#max) return
    for (const [oldest] of this.#values) {
      this.#values.delete(oldest)
      return
    }
  }
}
