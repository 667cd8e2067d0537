/**
 * The watcher: keeps the push channel of a feed open, and tracks whether it can be relied on for low latency.
 *
 * @module
 */

import type { RevocationFeed, WatchHint } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { FeedClient } from '../log/feed-client.js'
import type { Replica } from './replica.js'

const MAX_BACKOFF_MS = 2000
// After a loss, the channel is not relied on until it has lost nothing for this long.
const DOUBT_MS = 10_000

/** Options of the watcher. */
export interface WatcherOptions {
  readonly feed: RevocationFeed
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly clock: ResolvedClock
  readonly signal: AbortSignal
  /** Called with the pushed events, and without an argument if events may have been missed. */
  readonly wake: (hint?: WatchHint) => void
  /** Called each time the channel ends. */
  readonly onEnd: () => void
  readonly random: () => number
}

/** The push channel of one node. */
export class Watcher {
  readonly #options: WatcherOptions
  #running = false
  #doubtUntil = Number.NEGATIVE_INFINITY
  /** The number of times the channel ended. */
  ends = 0
  /** The number of events in the log that the channel had not delivered. */
  misses = 0

  constructor(options: WatcherOptions) {
    this.#options = options
    if (options.feed.watch !== undefined && options.feed.info.push) void this.#loop()
  }

  /** Whether pushes can be expected. */
  get reliable(): boolean {
    return this.#running && this.#options.clock.monotonic() >= this.#doubtUntil
  }

  /** Records that a poll found an event that the channel missed. */
  missed(): void {
    if (!this.#running) return
    this.misses++
    this.#doubtUntil = this.#options.clock.monotonic() + DOUBT_MS
  }

  async #loop(): Promise<void> {
    const { clock, signal, wake, onEnd } = this.#options
    let failures = 0
    while (!signal.aborted) {
      const since = clock.monotonic()
      await this.#watch().catch(() => undefined)
      this.#running = false
      if (signal.aborted) return
      this.ends++
      onEnd()
      failures = clock.monotonic() - since > DOUBT_MS ? 0 : failures + 1
      // Events sent since the channel ended were not delivered.
      wake()
      await this.#pause(failures)
    }
  }

  async #watch(): Promise<void> {
    const { feed, feedClient, replica, signal, wake } = this.#options
    await feedClient.open()
    // Called once more when the channel has ended: a late wake-up of an abandoned channel is harmless.
    const watching = feed.watch?.(replica.position, wake, signal)
    this.#running = true
    await watching
  }

  // With jitter, so the nodes of a fleet do not all reconnect at once.
  #pause(failures: number): Promise<void> {
    const { clock, random } = this.#options
    const longest = Math.min(MAX_BACKOFF_MS, 25 * 2 ** Math.min(failures, 10))
    const delay = longest * (0.5 + random() / 2)
    return new Promise((resolve) => void clock.setTimer(resolve, delay))
  }
}
