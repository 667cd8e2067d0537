/**
 * Last use: recorded in memory when a token is verified, and written to the store in batches outside of the hot path.
 *
 * @module
 */
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import { MINUTE } from '../../lib/duration.js'
import type { Usage } from '../../store/store.js'

/** The minimum interval between two reports of one token, in milliseconds. */
export const USAGE_INTERVAL_MS = MINUTE
const MAX_PENDING = 100_000
// Small: what encodes a batch holds the event loop, and SQLite writes it without yielding.
const BATCH = 250

/** Collects uses of one authority. */
export class LastUseRecorder {
  #pending = new Map<string, number>()
  readonly #clock: ResolvedClock
  readonly #write: (usages: readonly Usage[]) => Promise<void>
  #timer: Timer | undefined

  constructor(clock: ResolvedClock, write: (usages: readonly Usage[]) => Promise<void>) {
    this.#clock = clock
    this.#write = write
  }

  /** Records a use. Bounded: beyond the limit, uses of further tokens are dropped until the next write. */
  note(id: string, at: number): void {
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(id)) return
    this.#pending.set(id, at)
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined
      // A lost report costs a minute of precision, because the next use is reported again.
      void this.flush().catch(() => undefined)
    }, USAGE_INTERVAL_MS)
  }

  /** Writes the recorded uses. */
  async flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const pending = this.#pending
    this.#pending = new Map()
    let usages: Usage[] = []
    for (const [id, at] of pending) {
      usages.push({ id, at })
      if (usages.length < BATCH) continue
      await this.#write(usages)
      await new Promise(setImmediate)
      usages = []
    }
    if (usages.length > 0) await this.#write(usages)
  }
}
