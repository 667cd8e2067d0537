/**
 * Last use: recorded in memory when a token is verified, and written to the store in batches outside of the hot path.
 *
 * @module
 */
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import type { Usage } from '../../store/store.js'

/** The minimum interval between two reports of one token, in milliseconds. */
export const USAGE_INTERVAL_MS = 60_000
const MAX_PENDING = 100_000
const BATCH = 1000

/** Collects uses of one authority. */
export class LastUseRecorder {
  readonly #pending = new Map<string, number>()
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
    const usages = [...this.#pending].map(([id, at]) => ({ id, at }))
    this.#pending.clear()
    for (let i = 0; i < usages.length; i += BATCH) await this.#write(usages.slice(i, i + BATCH))
  }
}
