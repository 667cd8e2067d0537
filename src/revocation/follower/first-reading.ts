/**
 * The first reading: a full read of the store, once, by a node that starts while no older member is running.
 *
 * A log that was rolled back while no node ran looks complete to every starting node. Each reads the latest revocations
 * at once. The oldest node reads everything once it is certain to be the oldest.
 *
 * @module
 */

import type { ResolvedClock } from '../../lib/clock.js'
import { RevocationIndex } from '../index/revocation-index.js'

// A fraction of a lease: by then a running member has sealed the head, and this node has read it.
const ELDER_SHARE = 0.8

/** Options of the first reading. */
export interface FirstReadingOptions {
  readonly clock: ResolvedClock
  /** The maximum age of a freshness proof, in milliseconds. */
  readonly maxStalenessMs: number
  readonly maxEntries: number
  /**
   * Whether nothing lost before the start of this node can be missing: it has read the whole store since, or an older
   * member is running.
   */
  readonly isContinued: () => boolean
  readonly signal: AbortSignal
}

/** Tracks whether the reading is due, and its result. */
export class FirstReading {
  readonly #options: FirstReadingOptions
  // On the monotonic clock.
  #dueAt: number | undefined
  #isOver = false
  /** Entries that were read and not compared yet. */
  found: RevocationIndex | undefined

  constructor(options: FirstReadingOptions) {
    this.#options = options
  }

  /**
   * Starts the reading if it is due; this node is at the head of the log. It runs beside the requests that renew the
   * lease, because it may take longer than a lease. Calls back when everything is read.
   *
   * @param readAll - Loads every stored revocation into an index.
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
