/**
 * The first use of each successor, which retires its predecessor.
 *
 * @module
 */
import type { Verified } from '../types.js'
import type { Entry } from './entry.js'

// Beyond the bound, some predecessors are retired again, which has no effect.
const MAX_RETIRED = 10_000

/** Successors whose predecessors were retired by this node. */
export class FirstUses {
  readonly #retired = new Set<string>()
  readonly #onFirstUse: (token: Verified<unknown>, again: () => void) => void

  constructor(onFirstUse: (token: Verified<unknown>, again: () => void) => void) {
    this.#onFirstUse = onFirstUse
  }

  /** Reports a use, unless one of the same token was reported. By id, since an uncached entry is made for each call. */
  note(entry: Entry): void {
    const { id } = entry.principal
    if (this.#retired.has(id)) return
    if (this.#retired.size >= MAX_RETIRED) this.#retired.clear()
    this.#retired.add(id)
    this.#onFirstUse(entry.principal, () => {
      this.#retired.delete(id)
      entry.retiresPredecessor = true
    })
  }
}
