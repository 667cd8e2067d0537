/**
 * A bounded map that forgets what was used longest ago.
 *
 * `lru-cache` reads the options of each call through the prototype chain, so one field on a polluted `Object.prototype`
 * makes it throw. The cache of verified tokens passes all of them; a few thousand entries do not need its speed.
 *
 * @module
 */

/** Remembers at most `max` values by name. */
export class Recent<V> {
  readonly #max: number
  // A Map keeps the order of insertion: the first one was used longest ago.
  readonly #values = new Map<string, V>()

  constructor(max: number) {
    this.#max = max
  }

  /** The value of this name, which counts as a use of it. */
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
