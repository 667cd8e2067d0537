/**
 * The poll interval of a follower.
 *
 * @module
 */
import type { RevocationFeed } from '../../feed/feed.js'

const FIRST_POLL_MS = 25
const QUIET_POLL_MS = 250

/** Inputs of the interval. */
export interface PaceOptions {
  readonly feed: RevocationFeed
  readonly maxStalenessMs: number
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Computes the poll interval of one node. */
export class Pace {
  readonly #options: PaceOptions
  #pollMs = FIRST_POLL_MS

  constructor(options: PaceOptions) {
    this.#options = options
  }

  /** Records activity in the log: more may follow. */
  quicken(): void {
    this.#pollMs = FIRST_POLL_MS
  }

  /**
   * The delay until the next poll, in milliseconds. While pushes arrive (`isCalm`), polls only confirm them. Otherwise
   * polls determine the latency and are frequent during activity.
   */
  next(isCalm: boolean): number {
    const { feed, maxStalenessMs, random } = this.#options
    const { suggestedPollMs } = feed.info
    const jitter = 0.8 + random() * 0.4
    // An in-process feed misses nothing, and a verification proves as much as a poll.
    if (feed.peek !== undefined) return suggestedPollMs * jitter
    const wait = isCalm ? suggestedPollMs : this.#pollMs
    this.#pollMs = Math.min(QUIET_POLL_MS, suggestedPollMs, this.#pollMs * 1.5)
    return Math.min(wait, maxStalenessMs / 4) * jitter
  }
}
