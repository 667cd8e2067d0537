/**
 * The first reading: all that the store keeps, once, by a node that starts where no member is left who was there before.
 *
 * A log that was set back while no node was there looks whole to all that start. What was revoked lately each of them
 * reads at once. For the rest, the eldest reads everything, as soon as it is clear that no one is older.
 *
 * @module
 */

import type { ResolvedClock } from '../../lib/clock.js'
import { RevocationIndex } from '../index/revocation-index.js'

// Of a lease: by then a member that is alive has sealed the head, and this node has looked at it.
const ELDER_SHARE = 0.8

/** What it needs. */
export interface FirstReadingOptions {
  readonly clock: ResolvedClock
  /** How long ago freshness may have been proved, in milliseconds. */
  readonly maxStalenessMs: number
  readonly maxEntries: number
  /**
   * Whether nothing can be missing that was lost before this node started: it has read all of the store since, or a member
   * is alive that was there before.
   */
  readonly isContinued: () => boolean
  readonly signal: AbortSignal
}

/** Knows whether it is due, and what came of it. */
export class FirstReading {
  readonly #options: FirstReadingOptions
  // On the steady clock.
  #dueAt: number | undefined
  #isOver = false
  /** What was read, and has not been compared yet. */
  found: RevocationIndex | undefined

  constructor(options: FirstReadingOptions) {
    this.#options = options
  }

  /**
   * This node is at the head of the log: begins to read if that is due. Beside the questions that renew the lease, for it
   * may take longer than one. Calls back when everything is read.
   *
   * @param readAll - Puts into an index all that the store keeps.
   */
  settle(readAll: (into: RevocationIndex) => Promise<void>, onRead: () => void): void {
    const { clock, maxStalenessMs, maxEntries, isContinued, signal } = this.#options
    this.#isOver ||= isContinued()
    if (this.#isOver) return
    const now = clock.monotonic()
    this.#dueAt ??= now + maxStalenessMs * ELDER_SHARE
    if (now < this.#dueAt) return
    this.#dueAt = Number.POSITIVE_INFINITY
    const found = new RevocationIndex({ max: maxEntries })
    readAll(found).then(
      () => {
        if (signal.aborted) return
        this.#isOver = true
        this.found = found
        onRead()
      },
      () => {
        this.#dueAt = clock.monotonic() + maxStalenessMs
      },
    )
  }
}
