/**
 * The pace of a follower: how long it waits until it looks at the log again.
 *
 * @module
 */
import type { RevocationFeed } from '../../feed/feed.js'

const FIRST_POLL_MS = 25
const QUIET_POLL_MS = 250

/** What the pace depends on. */
export interface PaceOptions {
  readonly feed: RevocationFeed
  readonly maxStalenessMs: number
  /** A number in [0, 1). */
  readonly random: () => number
}

/** How often one node polls. */
export class Pace {
  readonly #options: PaceOptions
  #pollMs = FIRST_POLL_MS

  constructor(options: PaceOptions) {
    this.#options = options
  }

  /** Something happens in the log: more may follow. */
  quicken(): void {
    this.#pollMs = FIRST_POLL_MS
  }

  /**
   * How long to wait for the next poll, in milliseconds. While pushes come (`isCalm`), polls only confirm; without them
   * they are what is fast, and are frequent while something happens.
   */
  next(isCalm: boolean): number {
    const { feed, maxStalenessMs, random } = this.#options
    const { suggestedPollMs } = feed.info
    const jitter = 0.8 + random() * 0.4
    // In one process nothing is ever missed, and looking proves nothing that a verification would not.
    if (feed.peek !== undefined) return suggestedPollMs * jitter
    const wait = isCalm ? suggestedPollMs : this.#pollMs
    this.#pollMs = Math.min(QUIET_POLL_MS, suggestedPollMs, this.#pollMs * 1.5)
    return Math.min(wait, maxStalenessMs / 4) * jitter
  }
}
