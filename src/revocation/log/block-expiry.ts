/**
 * Tracks the latest expiry per block of events, to find how much of the log's beginning can be trimmed.
 *
 * @module
 */

/** Events per block. Trims remove whole blocks. */
export const BLOCK = 256

/** The latest expiry of each block of events. */
export class BlockExpiry {
  readonly #blocks = new Map<number, number>()

  /** Records an event by the expiry of its last entry; 0 for an event that revokes nothing. */
  note(seq: number, expiresAt: number): void {
    const block = Math.floor(seq / BLOCK)
    this.#blocks.set(block, Math.max(expiresAt, this.#blocks.get(block) ?? 0))
  }

  /** Clears all blocks. */
  clear(): void {
    this.#blocks.clear()
  }

  /**
   * The highest `seq` up to which every event from `floor` on had expired at `now`: the end of a whole block below
   * `last`, or `floor - 1`.
   */
  deadUpTo(floor: number, last: number, now: number): number {
    let end = floor - 1
    for (let block = Math.floor(floor / BLOCK); (block + 1) * BLOCK - 1 < last; block++) {
      const expiresAt = this.#blocks.get(block)
      // The expiry of events read before a snapshot replaced them is unknown: they stay until the snapshot's own trim.
      if (expiresAt === undefined || expiresAt >= now) break
      this.#blocks.delete(block)
      end = (block + 1) * BLOCK - 1
    }
    return end
  }
}
