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
import { unavailable } from './unavailable.js'

// Nodes that learn of the same at the same time do not all tell the log of it.
const MAX_DELAY_MS = 1000
// Of a lease: the next answer has come before the last one is too old, whenever the next pull is.
const ASK_SHARE = 0.35

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
  /** Whether the store is needed to show that the log is whole, besides when that is in doubt. */
  readonly isWitness: () => boolean
  /** Called when everything is known that the store had when it was asked. */
  readonly onKnown: (asked: Mark) => void
  readonly replica: Replica
  readonly signal: AbortSignal
  /** Gives entries to the log; what it does not take is given to it again later. */
  readonly publish: (entries: readonly FeedEntry[]) => Promise<unknown>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Knows when the store has to be asked, and how far it was read. */
export class Recall {
  readonly #options: RecallOptions
  #suspected = false
  #asking: Promise<void> | undefined
  #restUntil = Number.NEGATIVE_INFINITY
  // Everything that the store took in before it is in the index, or was before this node started.
  #cursor: string | undefined
  #isCaughtUp = false
  #dueAt = Number.NEGATIVE_INFINITY

  constructor(options: RecallOptions) {
    this.#options = options
  }

  /**
   * Takes the first cursor, before the log is entered and the store read: nothing falls in between. Rejects as the
   * store does.
   */
  async begin(): Promise<void> {
    this.#cursor ??= await this.#options.recall?.begin()
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
    const { freshness, maxStalenessMs, recall, clock, isWitness } = this.#options
    if (recall === undefined) return
    const [wall, steady] = mark
    if (!freshness.within(maxStalenessMs, wall)) {
      // What was asked before may have been answered before the last revocation.
      await this.#asking?.catch(() => undefined)
      return this.#ask(mark)
    }
    const isDue = isWitness() && steady >= this.#dueAt
    if (isDue || (this.#suspected && clock.monotonic() >= this.#restUntil))
      void this.#ask(mark).catch(() => undefined)
  }

  #ask(mark: Mark): Promise<void> {
    this.#asking ??= this.#recall(mark).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #recall(mark: Mark): Promise<void> {
    const { maxStalenessMs, toleranceMs, maxSkewMs, clock, random, onKnown } = this.#options
    const [wall, steady] = mark
    this.#dueAt = steady + maxStalenessMs * ASK_SHARE * (0.8 + random() * 0.2)
    this.#restUntil = clock.monotonic() + maxStalenessMs
    this.#suspected = false
    try {
      await this.#take(Math.max(0, wall - maxStalenessMs - toleranceMs - maxSkewMs))
      onKnown(mark)
    } catch (error) {
      this.#suspected = true
      throw error
    }
  }

  async #take(startedAfter: number): Promise<void> {
    const { index, maxEntries: max, replica, onIncident } = this.#options
    const kept = new RevocationIndex({ max })
    const missing = new RevocationIndex({ max })
    const heard = new RevocationIndex({ max })
    replica.heard = heard
    try {
      const cursor = await this.#read(kept, startedAfter)
      for (const entry of kept.missingFrom(index)) {
        missing.apply(entry)
        if (!index.apply(entry)) throw unavailable('the revocation index is full')
      }
      // Only now: what could not be applied is read again.
      this.#cursor = cursor
      this.#isCaughtUp = true
    } finally {
      if (missing.size === 0) this.#heardEnough(heard)
    }
    if (missing.size === 0) return
    onIncident('recalled', missing.size)
    this.#giveBack(missing, heard)
  }

  async #read(into: RevocationIndex, startedAfter: number): Promise<string | undefined> {
    const { recall } = this.#options
    await this.begin()
    if (recall === undefined || this.#cursor === undefined) return this.#cursor
    // A node that starts has no cursor of a time before, when a log that was just set back may have lost something.
    if (!this.#isCaughtUp) await recall.recent(into, startedAfter)
    return recall.since(into, this.#cursor)
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
