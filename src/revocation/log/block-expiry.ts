/**
 * Until when the events of a log matter, by the block: enough to tell how much of its beginning can go.
 *
 * @module
 */

/** Events of one block: what is trimmed is trimmed by this many. */
export const BLOCK = 256

/** The latest expiry of each block of events. */
export class BlockExpiry {
  readonly #blocks = new Map<number, number>()

  /** Notes an event whose last entry expires then; 0 for one that revokes nothing. */
  note(seq: number, expiresAt: number): void {
    const block = Math.floor(seq / BLOCK)
    this.#blocks.set(block, Math.max(expiresAt, this.#blocks.get(block) ?? 0))
  }

  /** Forgets everything. */
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
      // Unknown is what was read before a snapshot took its place: it stays until the snapshot's own trim.
      if (expiresAt === undefined || expiresAt >= now) break
      this.#blocks.delete(block)
      end = (block + 1) * BLOCK - 1
    }
    return end
  }
}
