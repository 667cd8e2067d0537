/**
 * Recalling: asking the store what was revoked lately, where the log may not be the one that this node knew.
 *
 * A log that was set back to exactly where a node stands looks to that node as if nothing had happened. Whoever had read
 * on mends it, if anybody who had still lives; the store knows in any case.
 *
 * @module
 */

import { RevocationIndex } from '../index/revocation-index.js'
import type { FeedEntry } from '../log/event.js'
import { indexFull } from '../log/unavailable.js'
import { FirstReading, type FirstReadingOptions } from './first-reading.js'
import type { FollowerOptions } from './follower-options.js'
import type { Freshness, TimeMark } from './freshness.js'
import type { Replica } from './replica.js'

// Nodes that learn of the same at the same time do not all tell the log of it.
const MAX_DELAY_MS = 1000
// Of a lease: the next answer has come before the last one is too old, whenever the next pull is.
const ASK_SHARE = 0.35

/** What reconciling needs. */
export interface ReconcilerOptions
  extends FirstReadingOptions,
    Pick<
      FollowerOptions,
      | 'index'
      | 'clock'
      | 'maxStalenessMs'
      | 'toleranceMs'
      | 'maxSkewMs'
      | 'maxEntries'
      | 'reconcile'
      | 'onIncident'
    > {
  readonly freshness: Freshness
  /** Whether the store is needed to show that the log is whole, besides when that is in doubt. */
  readonly isWitness: () => boolean
  /** Called when everything is known that the store had when it was asked. */
  readonly onKnown: (asked: TimeMark) => void
  readonly replica: Replica
  readonly signal: AbortSignal
  /** Gives entries to the log. */
  readonly append: (entries: readonly FeedEntry[]) => Promise<unknown>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Knows when the store has to be asked, and how far it was read. */
export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #first: FirstReading
  #suspected = false
  #asking: Promise<void> | undefined
  #restUntil = Number.NEGATIVE_INFINITY
  // Everything that the store took in before it is in the index, or was before this node started.
  #cursor: string | undefined
  #isCaughtUp = false
  #dueAt = Number.NEGATIVE_INFINITY
  #lacking: Lacking | undefined
  #isGiving = false

  constructor(options: ReconcilerOptions) {
    this.#options = options
    this.#first = new FirstReading(options)
  }

  /**
   * Takes the first cursor, before the log is entered and the store read: nothing falls in between. Rejects as the
   * store does.
   */
  async begin(): Promise<void> {
    this.#cursor ??= await this.#options.reconcile?.begin()
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
  async settle(mark: TimeMark): Promise<void> {
    const { freshness, maxStalenessMs, reconcile, clock, isWitness } = this.#options
    if (reconcile === undefined) return
    this.#giveBack()
    this.#first.settle(
      (into) => reconcile.all(into),
      () => this.#compare(mark),
    )
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

  // All of the store was read: what is missing is taken in with the next answer.
  #compare(mark: TimeMark): void {
    if (this.#asking === undefined) void this.#ask(mark).catch(() => undefined)
    else this.suspect()
  }

  #ask(mark: TimeMark): Promise<void> {
    this.#asking ??= this.#recall(mark).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #recall(mark: TimeMark): Promise<void> {
    const { maxStalenessMs, toleranceMs, maxSkewMs, clock, random, onKnown } = this.#options
    const [wall, steady] = mark
    this.#dueAt = steady + maxStalenessMs * ASK_SHARE * (0.8 + random() * 0.2)
    if (this.#suspected) this.#restUntil = clock.monotonic() + maxStalenessMs
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
    const { index, maxEntries: max, replica, onIncident, clock, random } = this.#options
    const { found: all } = this.#first
    const kept = new RevocationIndex({ max })
    // What the log brings from here on counts, also what it brings while the store is being read.
    const lacking = this.#lacking ?? newLacking(max)
    this.#lacking = lacking
    replica.heard = lacking.heard
    let found = 0
    try {
      const cursor = await this.#read(kept, startedAfter)
      for (const entry of all?.entries() ?? []) kept.apply(entry)
      for (const entry of kept.missingFrom(index)) {
        lacking.missing.apply(entry)
        found++
        if (!index.apply(entry)) throw indexFull()
      }
      // Only now: what could not be applied is read again.
      this.#cursor = cursor
      this.#isCaughtUp = true
      if (all !== undefined) this.#first.found = undefined
    } finally {
      if (lacking.missing.size === 0) this.#heardEnough()
      else lacking.giveAt = Math.min(lacking.giveAt, clock.monotonic() + random() * MAX_DELAY_MS)
    }
    if (found > 0) onIncident('reconciled', found)
  }

  async #read(into: RevocationIndex, startedAfter: number): Promise<string | undefined> {
    const { reconcile } = this.#options
    await this.begin()
    if (reconcile === undefined || this.#cursor === undefined) return this.#cursor
    // A node that starts has no cursor of a time before, when a log that was just set back may have lost something.
    if (!this.#isCaughtUp) await reconcile.recent(into, startedAfter)
    return reconcile.since(into, this.#cursor)
  }

  #heardEnough(): void {
    this.#lacking = undefined
    this.#options.replica.heard = undefined
  }

  // Mostly the log is going to have it anyway, from the node that revoked it, or from the first node that comes by. So
  // it is given back only by a node that has read the log to its head, and what the log has by then is left out.
  #giveBack(): void {
    const { clock, random, signal, append } = this.#options
    const lacking = this.#lacking
    if (lacking === undefined || this.#isGiving || clock.monotonic() < lacking.giveAt) return
    const entries = [...lacking.missing.missingFrom(lacking.heard)]
    if (entries.length === 0) this.#heardEnough()
    if (entries.length === 0 || signal.aborted) return
    this.#isGiving = true
    lacking.giveAt = clock.monotonic() + random() * MAX_DELAY_MS
    void append(entries)
      .catch(() => undefined)
      .finally(() => {
        this.#isGiving = false
      })
  }
}

/** What the store had and the log had not brought, and what it has brought since. */
interface Lacking {
  readonly missing: RevocationIndex
  readonly heard: RevocationIndex
  /** When it may be given back, on the steady clock. */
  giveAt: number
}

const newLacking = (max: number): Lacking => ({
  missing: new RevocationIndex({ max }),
  heard: new RevocationIndex({ max }),
  giveAt: Number.POSITIVE_INFINITY,
})
