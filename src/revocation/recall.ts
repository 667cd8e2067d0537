/**
 * Recalling: asking the store what was revoked lately, where the log may not be the one that this node knew.
 *
 * A log that was set back to exactly where a node stands looks to that node as if nothing had happened. Whoever had read
 * on mends it, if anybody who had still lives; the store knows in any case.
 *
 * @module
 */
import type { FeedEntry } from './event.js'
import type { FollowerOptions } from './follower-options.js'
import type { Freshness, Mark } from './freshness.js'
import { RevocationIndex } from './index.js'
import type { Replica } from './replica.js'

// Nodes that learn of the same at the same time do not all tell the log of it.
const MAX_DELAY_MS = 1000

/** What recalling needs. */
export interface RecallOptions
  extends Pick<
    FollowerOptions,
    | 'index'
    | 'clock'
    | 'maxStalenessMs'
    | 'toleranceMs'
    | 'maxSkewMs'
    | 'maxEntries'
    | 'recall'
    | 'onIncident'
  > {
  readonly freshness: Freshness
  readonly replica: Replica
  readonly signal: AbortSignal
  /** Gives entries to the log; what it does not take is given to it again later. */
  readonly publish: (entries: readonly FeedEntry[]) => Promise<unknown>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Knows when the store has to be asked, and since when. */
export class Recall {
  readonly #options: RecallOptions
  #suspected = false
  #asking: Promise<void> | undefined
  #restUntil = Number.NEGATIVE_INFINITY
  // When this node was last sure to know everything: the wall time of a proof that nothing was in doubt at.
  #sureAt: number | undefined

  constructor(options: RecallOptions) {
    this.#options = options
  }

  /** Notes that something happened behind which the log may have become another one. */
  suspect(): void {
    this.#suspected = true
  }

  /**
   * Sees to it, before a proof that was asked for at `mark`, that nothing is missing which the store has. Where the lease
   * ran out, or never was, that is waited for: a node that comes back knows what was revoked without it. Where it did
   * not, the store is asked in the background, so that its outage is not the feed's. Rejects as the store does.
   */
  async settle(mark: Mark): Promise<void> {
    const { freshness, maxStalenessMs, recall, clock } = this.#options
    if (recall === undefined) return
    const [wall] = mark
    if (!freshness.within(maxStalenessMs, wall)) {
      // What was asked before may have been answered before the last revocation.
      await this.#asking?.catch(() => undefined)
      return this.#ask(wall)
    }
    if (!this.#suspected) this.#sureAt = wall
    else if (clock.monotonic() >= this.#restUntil) void this.#ask(wall).catch(() => undefined)
  }

  #ask(wall: number): Promise<void> {
    this.#asking ??= this.#recall(wall).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #recall(wall: number): Promise<void> {
    const { maxStalenessMs, toleranceMs, maxSkewMs, clock } = this.#options
    const sureAt = this.#sureAt ?? wall - maxStalenessMs - toleranceMs
    this.#restUntil = clock.monotonic() + maxStalenessMs
    this.#suspected = false
    try {
      await this.#take(Math.max(0, sureAt - maxSkewMs))
      this.#sureAt = wall
    } catch (error) {
      this.#suspected = true
      throw error
    }
  }

  async #take(since: number): Promise<void> {
    const { recall, index, maxEntries: max, replica, onIncident } = this.#options
    const kept = new RevocationIndex({ max })
    const missing = new RevocationIndex({ max })
    const heard = new RevocationIndex({ max })
    replica.heard = heard
    try {
      await recall?.(kept, since)
      for (const entry of kept.missingFrom(index)) {
        missing.apply(entry)
        index.apply(entry)
      }
    } finally {
      if (missing.size === 0) this.#heardEnough(heard)
    }
    if (missing.size === 0) return
    onIncident('recalled', missing.size)
    this.#giveBack(missing, heard)
  }

  #heardEnough(heard: RevocationIndex): void {
    const { replica } = this.#options
    if (replica.heard === heard) replica.heard = undefined
  }

  // Mostly the log is going to have it anyway, from whoever revoked it, or from the first node that comes by.
  #giveBack(missing: RevocationIndex, heard: RevocationIndex): void {
    const { clock, random, signal, publish } = this.#options
    const give = () => {
      this.#heardEnough(heard)
      const lacking = [...missing.missingFrom(heard)]
      if (lacking.length > 0 && !signal.aborted) publish(lacking).catch(() => undefined)
    }
    clock.setTimer(give, Math.floor(random() * MAX_DELAY_MS))
  }
}
