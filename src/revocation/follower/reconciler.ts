/**
 * The reconciler: reads recent revocations from the store when the log may have been replaced.
 *
 * A log that was rolled back to exactly a node's position looks unchanged to that node. A running node that had read
 * further repairs the log. Otherwise only the store has the missing revocations.
 * @module
 */

import type { FeedEntry } from '../index/entries.js'
import { RevocationIndex } from '../index/revocation-index.js'
import { indexFull } from '../log/unavailable.js'
import { FirstReading, type FirstReadingOptions } from './first-reading.js'
import type { FollowerOptions } from './follower-options.js'
import type { Freshness, TimeMark } from './freshness.js'
import type { Replica } from './replica.js'

// Jitter, so nodes that detect the same loss do not all republish it.
const MAX_DELAY_MS = 1000
// A fraction of a lease: the next read completes before the last one is too old.
const ASK_SHARE = 0.35
// A fraction of a lease after which a read is late.
const LATE_SHARE = 0.1

/** Options of the reconciler. */
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
  /** Whether the store is needed as evidence that the log is complete, even if nothing is in doubt. */
  readonly isWitness: () => boolean
  /** Called when this node has everything that the store had when it was read. */
  readonly onKnown: (asked: TimeMark) => void
  /** Called when the store could not be read. */
  readonly onUnread: () => void
  /** Called when the store responds slowly. */
  readonly onLate: () => void
  readonly replica: Replica
  readonly signal: AbortSignal
  /** Appends entries to the log. */
  readonly append: (entries: readonly FeedEntry[]) => Promise<unknown>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Tracks when the store must be read, and up to which cursor it was read. */
export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #first: FirstReading
  #suspected = false
  #asking: Promise<void> | undefined
  /** Whether the store responds slowly. */
  isLate = false
  #restUntil = Number.NEGATIVE_INFINITY
  // Everything that the store received before this cursor is in the index, or is older than this node's start.
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
   * Takes the first cursor, before the log and the store are read, so no revocation falls in between. Rejects like the
   * store.
   */
  async begin(): Promise<void> {
    this.#cursor ??= await this.#options.reconcile?.begin()
  }

  /** Records an event after which the log may have been replaced. */
  suspect(): void {
    this.#suspected = true
  }

  /**
   * Ensures, before a proof requested at `mark`, that this node has everything that the store has. If the lease has
   * expired or never began, waits for the store. Otherwise reads the store in the background, so a store outage does
   * not become a feed outage. Rejects like the store.
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
      // An earlier read may have completed before the last revocation.
      await this.#asking?.catch(() => undefined)
      return this.#ask(mark)
    }
    const isDue = isWitness() && steady >= this.#dueAt
    if (isDue || (this.#suspected && clock.monotonic() >= this.#restUntil))
      void this.#ask(mark).catch(() => undefined)
  }

  /**
   * Reads what the store received since the last reading, for a caller whose decision needs it. Rejects like the store.
   */
  async read(): Promise<void> {
    const { reconcile, freshness } = this.#options
    if (reconcile === undefined) return
    // A reading that is under way may have begun too early.
    await this.#asking?.catch(() => undefined)
    return this.#ask(freshness.mark())
  }

  // The whole store was read. Missing entries are applied with the next read.
  #compare(mark: TimeMark): void {
    if (this.#asking === undefined) void this.#ask(mark).catch(() => undefined)
    else this.suspect()
  }

  #ask(mark: TimeMark): Promise<void> {
    this.#asking ??= this.#timed(this.#reconcile(mark)).finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #timed(reading: Promise<void>): Promise<void> {
    const { clock, maxStalenessMs, onLate } = this.#options
    const timer = clock.setTimer(() => {
      this.isLate = true
      onLate()
    }, maxStalenessMs * LATE_SHARE)
    try {
      await reading
    } finally {
      timer.cancel()
      this.isLate = false
    }
  }

  async #reconcile(mark: TimeMark): Promise<void> {
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
    const { index, maxEntries: max, replica, onIncident, onUnread, clock, random } = this.#options
    const { found: all } = this.#first
    const kept = new RevocationIndex({ max })
    // Collects everything that the log delivers from here on, including during the store read.
    const lacking = this.#lacking ?? newLacking(max)
    this.#lacking = lacking
    replica.heard = lacking.heard
    let found = 0
    try {
      const cursor = await this.#read(kept, startedAfter).catch((error: unknown) => {
        onUnread()
        throw error
      })
      // Sequential, because together they may exceed the capacity of one index.
      for (const read of all === undefined ? [kept] : [kept, all])
        for (const entry of read.missingFrom(index)) {
          lacking.missing.apply(entry)
          found++
          if (!index.apply(entry)) throw indexFull()
        }
      // Advances only now, so entries that could not be applied are read again.
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
    // A starting node has no earlier cursor, and a log that was just rolled back may have lost something.
    if (!this.#isCaughtUp) await reconcile.recent(into, startedAfter)
    return reconcile.since(into, this.#cursor)
  }

  #heardEnough(): void {
    this.#lacking = undefined
    this.#options.replica.heard = undefined
  }

  // The log usually receives the entry from the node that revoked it, or from the first node that detects the loss. A
  // node therefore republishes only after reading the log to its head, and omits entries that the log has by then.
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

/** Entries that the store had and the log had not delivered, and entries that the log has delivered since. */
interface Lacking {
  readonly missing: RevocationIndex
  readonly heard: RevocationIndex
  /** When to republish them, on the monotonic clock. */
  giveAt: number
}

const newLacking = (max: number): Lacking => ({
  missing: new RevocationIndex({ max }),
  heard: new RevocationIndex({ max }),
  giveAt: Number.POSITIVE_INFINITY,
})
