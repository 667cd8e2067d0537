/**
 * The republisher: appends entries that this node has and the log lacks, and entries whose earlier append failed.
 *
 * @module
 */

import type { Position } from '../../feed/feed.js'
import type { FeedEntry, RevocationEntry } from '../index/entries.js'
import { RevocationIndex } from '../index/revocation-index.js'
import type { FeedClient } from '../log/feed-client.js'
import type { FollowerOptions } from './follower-options.js'
import { Outbox } from './outbox.js'
import type { Replica } from './replica.js'

const GROUP = 4000
const MAX_DELAY_MS = 250

/** Options of the republisher. */
export interface RepublisherOptions
  extends Pick<FollowerOptions, 'index' | 'clock' | 'maxEntries' | 'node' | 'onIncident'> {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly signal: AbortSignal
  readonly append: (entries: readonly FeedEntry[]) => Promise<Position>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Completes the log. */
export class Republisher {
  readonly #options: RepublisherOptions
  // Revocations of this node that the log may not have.
  readonly #outbox = new Outbox()
  #isFlushing = false
  #repairing = false
  // Whether the log still needs the event that declares it complete, and where it begins.
  #isIncomplete = false
  // Whether this node created the log and therefore republishes first.
  #isCreator = false

  constructor(options: RepublisherOptions) {
    this.#options = options
  }

  /** Keeps entries that the log may not have accepted, to retry them when it responds. */
  keep(entries: readonly FeedEntry[]): void {
    this.#outbox.add(entries)
  }

  /** Whether the entry, or one of the same target, is pending. */
  isPending(entry: RevocationEntry): boolean {
    return this.#outbox.has(entry)
  }

  /** The number of pending entries. */
  get pending(): number {
    return this.#outbox.size
  }

  /** From here on, all entries that are read are compared with all known entries. */
  compare(): void {
    const { replica, maxEntries } = this.#options
    replica.shadow = new RevocationIndex({ max: maxEntries })
  }

  /** Records that the log itself declares entries missing. */
  expectMore(): void {
    this.#isIncomplete = true
  }

  /** Records that this node has created the log, and whether the log lacks entries of this node. */
  created(isIncomplete: boolean): void {
    this.#isCreator = true
    this.#isIncomplete = isIncomplete
  }

  /** Called when the head is reached: republishes entries of this node that the log lacks. */
  settle(): void {
    const { replica } = this.#options
    if (replica.shadow !== undefined && !this.#repairing) void this.#repair()
    if (this.#outbox.size > 0 && !this.#isFlushing) void this.#flush()
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true
    const entries = this.#outbox.first(GROUP)
    try {
      await this.#options.append(entries)
      this.#outbox.settle(entries)
    } catch {
      // They are retried after the next proof.
    } finally {
      this.#isFlushing = false
    }
  }

  // The first node repairs the log. Later nodes find less or nothing to do.
  async #repair(): Promise<void> {
    const { replica, index, clock, onIncident, signal } = this.#options
    this.#repairing = true
    try {
      if (!this.#isCreator) {
        const delay = Math.floor(this.#options.random() * MAX_DELAY_MS)
        await new Promise<void>((resolve) => void clock.setTimer(resolve, delay))
      }
      const { shadow } = replica
      if (shadow === undefined || signal.aborted) return
      const repaired = await this.#republish(index.missingFrom(shadow))
      if (this.#isIncomplete) await this.#declareComplete()
      // Another comparison may have begun in the meantime; the next round handles it.
      if (replica.shadow === shadow) replica.shadow = undefined
      this.#isCreator = false
      if (repaired > 0) onIncident('restored', repaired)
    } catch {
      // Missing entries are found again after the next proof.
    } finally {
      this.#repairing = false
    }
  }

  async #republish(missing: Iterable<RevocationEntry>): Promise<number> {
    const { append } = this.#options
    let count = 0
    let group: RevocationEntry[] = []
    for (const entry of missing) {
      group.push(entry)
      if (group.length < GROUP) continue
      await append(group)
      count += group.length
      group = []
    }
    if (group.length > 0) await append(group)
    return count + group.length
  }

  // After republication, the log is complete from the floor that it had when it was compared.
  async #declareComplete(): Promise<void> {
    const { feedClient, append, replica, node: value } = this.#options
    const head = await feedClient.head()
    if (head === null || head.epoch !== replica.position.epoch) return
    await append([
      { kind: 'trim', value, until: replica.floor },
      { kind: 'snapshot', value, until: 0 },
    ])
    this.#isIncomplete = false
  }
}
