/**
 * Recovery: handles a log that is missing, was rolled back, truncated, recreated or tampered with.
 *
 * A node never forgets a revocation that it knows. It reads the current log, compares, and republishes missing entries.
 *
 * @module
 */

import type { Position, SealedHead } from '../../feed/feed.js'
import { has } from '../../lib/fields.js'
import type { IncidentKind } from '../../observe/incident-kind.js'
import type { FeedClient } from '../log/feed-client.js'
import { type Opened, openHead, type Unopened } from '../log/seal.js'
import { loadSnapshot } from '../log/snapshot.js'
import { unavailable } from '../log/unavailable.js'
import { type EpochWriter, INCOMPLETE } from './epoch-writer.js'
import type { FollowerOptions } from './follower-options.js'
import type { Replica } from './replica.js'
import type { Republisher } from './republisher.js'

const READ_LIMIT = 500
// A head of unknown origin that is older than this has no running writer.
const ABANDONED_MS = 60_000

/** Options of recovery. */
export interface RecoveryOptions extends FollowerOptions {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly epochs: EpochWriter
  readonly republisher: Republisher
}

/** Decides how to handle a damaged log, and reports it. */
export class Recovery {
  readonly #options: RecoveryOptions
  // Whether the beginning of the log was missing when it was last entered.
  #isShort = false
  /** Whether the whole store was read. From then on this node receives every revocation. */
  hasBackfilled = false

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /**
   * Creates a missing log and republishes the entries of this node and the store. Resolves with whether to read the
   * head again; if not, there is nothing to republish, and the first revocation creates the log.
   */
  async createLog(): Promise<boolean> {
    const { feed, replica, onIncident } = this.#options
    const first = replica.position.epoch === ''
    if (!first) onIncident('missing', 1)
    if (!first || !this.hasBackfilled) await this.#backfill()
    // New revocations of this node are not part of recovery: their publisher creates the log with them.
    const nothing = first && replica.shadow === undefined
    if (nothing && feed.peek !== undefined) return false
    await this.#begin(null)
    return true
  }

  /**
   * Enters the log of this head at its beginning, or at the snapshot that replaces it.
   *
   * @param reason - The incident of the log that this node was following, if any.
   */
  async enter(head: SealedHead, opened: Opened, reason: IncidentKind | undefined): Promise<void> {
    if (reason !== undefined) this.#options.onIncident(reason, 1)
    await this.#enter(head, opened, reason !== undefined)
  }

  async #enter(head: SealedHead, opened: Opened, isDamaged: boolean): Promise<void> {
    const { replica } = this.#options
    const first = replica.position.epoch === ''
    const isDoubtful = first && (this.#isAsleep(opened) || opened.second === INCOMPLETE)
    if (isDamaged || isDoubtful) await this.#backfill()
    if (opened.second === INCOMPLETE) this.#options.republisher.expectMore()
    if (head.floor <= 1) replica.enter(head.epoch)
    else await this.#enterTrimmed(head, opened, isDamaged)
    replica.learn(head, opened)
  }

  // Whether no node has refreshed the head recently, so tampering since then may be undetected. A seal dated in the
  // future does not show its age.
  #isAsleep({ at }: Opened): boolean {
    const { clock, maxStalenessMs, toleranceMs } = this.#options
    const age = clock.judged() - at
    return age > maxStalenessMs + toleranceMs || age < -toleranceMs
  }

  async #enterTrimmed(head: SealedHead, opened: Opened, isDamaged: boolean): Promise<void> {
    const { replica } = this.#options
    const { epoch, seq, floor, link } = head
    const loaded = opened.second > 0 && opened.second < INCOMPLETE ? await this.#load() : undefined
    // An older snapshot lacks events that were trimmed later; a snapshot of another epoch does not belong to this log.
    const covers = loaded !== undefined && loaded.epoch === epoch && loaded.seq >= opened.second
    const whole = floor <= opened.first && (opened.second === 0 || covers)
    if (!whole) return this.#beginAfterTrim(head, isDamaged)
    this.#isShort = false
    if (covers && loaded.seq >= floor - 1) replica.enter(epoch, loaded.seq, loaded.link)
    else replica.enter(epoch, floor - 1, seq === floor - 1 ? link : undefined)
  }

  // Nodes that have read the trimmed events detect no gap. In a new epoch, each of them republishes its entries.
  async #beginAfterTrim(head: SealedHead, isDamaged: boolean): Promise<void> {
    const { onIncident, backfill } = this.#options
    const isSure = this.#isShort
    this.#isShort = true
    // The next snapshot may be replacing this one, so only a repeated failure counts.
    if (!isSure) return
    onIncident('trimmed', 1)
    if (!isDamaged && backfill === undefined)
      throw unavailable('the feed lost events that neither this node nor the store has')
    if (!isDamaged) await this.#backfill()
    await this.#begin(head, true)
  }

  #load(): Promise<Position | undefined> {
    const { feedClient, index, keys, replica, onIncident } = this.#options
    return loadSnapshot({ feedClient, keys, index, shadow: replica.shadow, onIncident })
  }

  /**
   * The log may have lost events that this node has not read. The store has them. From here on, entries that are read
   * are compared with all known entries.
   */
  async #backfill(): Promise<void> {
    const { backfill, replica, index } = this.#options
    const first = replica.position.epoch === ''
    if (first && backfill === undefined) return
    this.#options.republisher.compare()
    await backfill?.()
    this.hasBackfilled = true
    if (first && index.size === 0) replica.shadow = undefined
  }

  /**
   * Handles a head whose seal is invalid. If it was tampered with, this node repairs it from its own position, as far
   * as the log extends, or with a new epoch. It does not replace a log of nodes with other keys.
   */
  async repairHead(head: SealedHead, { failure, ...rest }: Unopened): Promise<void> {
    const { replica, onIncident, backfill } = this.#options
    const { epoch } = replica.position
    const claimed = has(rest, 'claimed') ? rest.claimed.at : 0
    if (failure === 'unknown_key' && !this.#isAbandoned(claimed))
      throw unavailable(
        `the feed is sealed with a key that the store does not have: the nodes of one feed share one store. If the store was emptied or replaced, call reset() of the feed, which deletes ${this.#options.feed.info.place ?? 'its log'}`,
      )
    onIncident('tampered', 1)
    if (epoch !== '' && epoch === head.epoch) return this.#restoreHead(head)
    if (epoch === '' && failure === 'forged' && backfill === undefined)
      throw unavailable('the head of the feed is not authentic')
    await this.#backfill()
    await this.#begin(head)
  }

  /**
   * Handles an event sealed with a key that neither this node nor the store has. Starts a new epoch, as for a gap,
   * unless another node may have the key.
   */
  async replaceUnreadable(head: SealedHead, sealedAt: number): Promise<void> {
    if (this.#isAbandoned(sealedAt)) await this.replace(head)
  }

  #isAbandoned(sealedAt: number): boolean {
    return Math.abs(this.#options.clock.judged() - sealedAt) >= ABANDONED_MS
  }

  /**
   * Handles a gap in the log. Starts a new epoch if the missing entries are known to the store or to this node, which
   * followed the log.
   */
  async replace(head: SealedHead): Promise<void> {
    const { replica, backfill, onIncident } = this.#options
    const knows = replica.reached(head.epoch, head.seq)
    if (!knows && backfill === undefined) return
    onIncident('gap', 1)
    if (!knows) await this.#backfill()
    await this.#begin(head, true)
  }

  async #begin(current: SealedHead | null, isTorn = false): Promise<void> {
    const { replica, epochs, republisher } = this.#options
    if (replica.position.epoch !== '') republisher.compare()
    const started = await epochs.start(current, isTorn)
    if (started !== 'late') republisher.created(started === 'incomplete')
  }

  async #restoreHead(forged: SealedHead): Promise<void> {
    const { feedClient, keys, replica, epochs } = this.#options
    for (let before = -1; before < replica.position.seq; ) {
      before = replica.position.seq
      const { events } = await feedClient.read(replica.position, READ_LIMIT)
      for (const event of events) replica.take(event)
    }
    const head = await epochs.sealPosition()
    const { ok } = await feedClient.append(forged, [], head)
    const opened = openHead(keys, head)
    // The end of the log may have been cut off before this node had read it.
    if (ok && !has(opened, 'failure')) await this.#enter(head, opened, true)
  }
}
