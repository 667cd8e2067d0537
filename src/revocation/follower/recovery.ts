/**
 * Recovery: what a node does about a log that is missing, was rolled back, truncated, recreated or tampered with.
 *
 * A node never forgets a revocation that it knows. It reads the current log, compares, and republishes what is missing.
 *
 * @module
 */

import type { Position, SealedHead } from '../../feed/feed.js'
import { has } from '../../lib/fields.js'
import type { IncidentKind } from '../../observe/incident-kind.js'
import { RevocationIndex } from '../index/revocation-index.js'
import type { FeedEntry, RevocationEntry } from '../log/event.js'
import type { FeedClient } from '../log/feed-client.js'
import { type Opened, openHead, sealHead, type Unopened, ZERO_LINK } from '../log/seal.js'
import { loadSnapshot } from '../log/snapshot.js'
import { unavailable } from '../log/unavailable.js'
import type { AgreedTime } from './agreed-time.js'
import type { FollowerOptions } from './follower-options.js'
import { Outbox } from './outbox.js'
import type { Replica } from './replica.js'

const READ_LIMIT = 500
const MAX_BEGINNINGS = 100
const REPAIR_GROUP = 4000
const MAX_REPAIR_DELAY_MS = 250
// A head of unknown origin that is older than this has no running writer.
const ABANDONED_MS = 60_000
// In place of a snapshot position that no log can have: missing entries are still being republished.
const INCOMPLETE = 2 ** 48 - 1

/** Options of recovery. */
export interface RecoveryOptions extends FollowerOptions {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly time: AgreedTime
  readonly writer: Uint8Array
  readonly signal: AbortSignal
  readonly newEpoch: () => string
  readonly append: (entries: readonly FeedEntry[]) => Promise<Position>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Repairs the log where possible, and reports it. */
export class Recovery {
  readonly #options: RecoveryOptions
  // Revocations of this node that the log may not have.
  readonly #owed = new Outbox()
  #paying = false
  #repairing = false
  // Whether the log still needs the event that it is complete again, and where it begins.
  #incomplete = false
  // Whether this node created the log, so that it republishes first.
  #founder = false
  // Whether the log began too late when it was last entered.
  #isShort = false
  /** Whether the whole store was read. From then on this node receives every revocation. */
  hasRefilled = false

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** Keeps entries that the log may not have accepted, to retry them when it responds. */
  owe(entries: readonly FeedEntry[]): void {
    this.#owed.add(entries)
  }

  /** Whether the entry, or one of the same target, is pending. */
  owes(entry: RevocationEntry): boolean {
    return this.#owed.has(entry)
  }

  /** The number of pending entries. */
  get owed(): number {
    return this.#owed.size
  }

  /**
   * Creates a log where there is none and republishes what this node and the store know. Resolves with whether to read
   * the head again; if not, there is nothing to republish, and the first revocation creates the log.
   */
  async createLog(): Promise<boolean> {
    const { feed, replica, onIncident } = this.#options
    const first = replica.position.epoch === ''
    if (!first) onIncident('missing', 1)
    if (!first || !this.hasRefilled) await this.#backfill()
    // New revocations of this node are not part of recovery: their publisher creates the log with them.
    const nothing = first && replica.shadow === undefined
    if (nothing && feed.peek !== undefined) return false
    await this.#begin(null)
    return true
  }

  /**
   * Enters the log of this head at its beginning, or at the snapshot that replaces it.
   *
   * @param reason - What happened to the log that this node was following, if anything.
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
    if (opened.second === INCOMPLETE) this.#incomplete = true
    if (head.floor <= 1) replica.enter(head.epoch)
    else await this.#enterTrimmed(head, opened, isDamaged)
    replica.learn(head, opened)
  }

  // No node has refreshed the head recently, so tampering since then may be undetected. A seal dated in the future does
  // not show for how long.
  #isAsleep({ at }: Opened): boolean {
    const { clock, maxStalenessMs, toleranceMs } = this.#options
    const age = clock.judged() - at
    return age > maxStalenessMs + toleranceMs || age < -toleranceMs
  }

  async #enterTrimmed(head: SealedHead, opened: Opened, isDamaged: boolean): Promise<void> {
    const { replica } = this.#options
    const { epoch, seq, floor, link } = head
    const loaded = opened.second > 0 && opened.second < INCOMPLETE ? await this.#load() : undefined
    // An older snapshot lacks what was trimmed after it; a snapshot of another epoch has nothing of this log.
    const covers = loaded !== undefined && loaded.epoch === epoch && loaded.seq >= opened.second
    const whole = floor <= opened.first && (opened.second === 0 || covers)
    if (!whole) return this.#beginAfterTrim(head, isDamaged)
    this.#isShort = false
    if (covers && loaded.seq >= floor - 1) replica.enter(epoch, loaded.seq, loaded.link)
    else replica.enter(epoch, floor - 1, seq === floor - 1 ? link : undefined)
  }

  // Trimmed events are known to nodes that have read them and see nothing wrong. In a new epoch each of these
  // republishes what it has.
  async #beginAfterTrim(head: SealedHead, isDamaged: boolean): Promise<void> {
    const { onIncident, backfill } = this.#options
    const isSure = this.#isShort
    this.#isShort = true
    // The next snapshot may be replacing this one, so only a repeated failure counts.
    if (!isSure) return
    onIncident('trimmed', 1)
    if (!isDamaged && backfill === undefined)
      throw unavailable('the feed lost events that no node and no store has')
    if (!isDamaged) await this.#backfill()
    await this.#begin(head, true)
  }

  #load(): Promise<Position | undefined> {
    const { feedClient, index, keys, replica } = this.#options
    const indexes = replica.shadow === undefined ? [index] : [index, replica.shadow]
    return loadSnapshot({ feedClient, keys, indexes })
  }

  /** From here on everything that is read is compared with everything that is known. */
  #compare(): void {
    const { replica, maxEntries } = this.#options
    replica.shadow = new RevocationIndex({ max: maxEntries })
  }

  /**
   * The log may have lost events that this node has not read. The store has them, and from here on what is read is
   * compared with everything that is known.
   */
  async #backfill(): Promise<void> {
    const { backfill, replica, index } = this.#options
    const first = replica.position.epoch === ''
    if (first && backfill === undefined) return
    this.#compare()
    await backfill?.()
    this.hasRefilled = true
    if (first && index.size === 0) replica.shadow = undefined
  }

  /**
   * Handles a head whose seal is invalid. If it was tampered with, this node repairs it: from its own position, as far
   * as the log still goes, or with a new epoch. It does not replace a log of nodes with other keys.
   */
  async mend(head: SealedHead, { failure, ...rest }: Unopened): Promise<void> {
    const { replica, onIncident, backfill } = this.#options
    const { epoch } = replica.position
    const claimed = has(rest, 'claimed') ? rest.claimed.at : 0
    if (failure === 'unknown_key' && !this.#isAbandoned(claimed))
      throw unavailable(
        `the feed is sealed with a key that the store does not have: the nodes of one feed share one store. If the store was emptied or replaced, begin the feed anew by its reset(), which deletes ${this.#options.feed.info.place ?? 'its log'}`,
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
   * Handles a gap in the log. Starts a new epoch if this node, which followed the log, or the store knows what was in
   * the gap.
   */
  async replace(head: SealedHead): Promise<void> {
    const { replica, backfill, onIncident } = this.#options
    const knows = replica.reached(head.epoch, head.seq)
    if (!knows && backfill === undefined) return
    onIncident('gap', 1)
    if (!knows) await this.#backfill()
    await this.#begin(head, true)
  }

  async #restoreHead(forged: SealedHead): Promise<void> {
    const { feedClient, keys, replica } = this.#options
    for (let before = -1; before < replica.position.seq; ) {
      before = replica.position.seq
      const { events } = await feedClient.read(replica.position, READ_LIMIT)
      for (const event of events) replica.take(event)
    }
    const { position } = replica
    await keys.ready()
    const head = this.#head(position.epoch, position.seq, position.link)
    const { ok } = await feedClient.append(forged, [], head)
    const opened = openHead(keys, head)
    // The end of the log may have been cut off before this node had read it.
    if (ok && !has(opened, 'failure')) await this.#enter(head, opened, true)
  }

  // The log accepts one of several concurrent nodes; the others find its epoch on the next read.
  async #begin(standing: SealedHead | null, isLost = false): Promise<void> {
    const { keys, replica, index, newEpoch } = this.#options
    await keys.ready()
    if (replica.position.epoch !== '') this.#compare()
    const epoch = newEpoch()
    const lacks = replica.shadow !== undefined && index.size > 0
    const head = this.#head(epoch, 0, ZERO_LINK, lacks)
    if (!(await this.#replaceHead(standing, head, isLost ? MAX_BEGINNINGS : 1))) return
    replica.enter(epoch)
    this.#founder = true
    this.#incomplete = lacks
    if (lacks) replica.snapshotSeq = INCOMPLETE
  }

  /**
   * Replaces the current epoch with a new one. Nodes that see nothing wrong keep appending and move the head, so the
   * new epoch is offered again immediately.
   */
  async #replaceHead(standing: SealedHead | null, next: SealedHead, times: number) {
    let expected = standing
    for (let attempt = 0; attempt < times; attempt++) {
      const answer = await this.#options.feedClient.append(expected, [], next)
      if (answer.ok) return true
      if (answer.head?.epoch !== expected?.epoch) return false
      expected = answer.head
    }
    return false
  }

  #head(epoch: string, seq: number, link: Uint8Array, lacks = false): SealedHead {
    const { keys, time, writer, replica } = this.#options
    const at = time.stamp()
    const same = epoch === replica.position.epoch
    const first = same ? replica.floor : 1
    const second = lacks ? INCOMPLETE : same ? replica.snapshotSeq : 0
    return sealHead(keys, { epoch, seq, link, at, first, second, writer }, time.vouched())
  }

  /** Called when the head is reached: republishes what the log lacks and this node has. */
  settle(): void {
    const { replica } = this.#options
    if (replica.shadow !== undefined && !this.#repairing) void this.#repair()
    if (this.#owed.size > 0 && !this.#paying) void this.#pay()
  }

  async #pay(): Promise<void> {
    this.#paying = true
    const entries = this.#owed.first(REPAIR_GROUP)
    try {
      await this.#options.append(entries)
      this.#owed.settle(entries)
    } catch {
      // They are retried after the next proof.
    } finally {
      this.#paying = false
    }
  }

  // The first node repairs the log. Later nodes find less or nothing to do.
  async #repair(): Promise<void> {
    const { replica, index, clock, onIncident, signal } = this.#options
    this.#repairing = true
    try {
      if (!this.#founder) {
        const delay = Math.floor(this.#options.random() * MAX_REPAIR_DELAY_MS)
        await new Promise<void>((resolve) => void clock.setTimer(resolve, delay))
      }
      const { shadow } = replica
      if (shadow === undefined || signal.aborted) return
      const repaired = await this.#giveBack(index.missingFrom(shadow))
      if (this.#incomplete) await this.#tellWhole()
      // Another comparison may have begun meanwhile; the next round handles it.
      if (replica.shadow === shadow) replica.shadow = undefined
      this.#founder = false
      if (repaired > 0) onIncident('restored', repaired)
    } catch {
      // Missing entries are found again after the next proof.
    } finally {
      this.#repairing = false
    }
  }

  async #giveBack(missing: Iterable<RevocationEntry>): Promise<number> {
    const { append } = this.#options
    let count = 0
    let group: RevocationEntry[] = []
    for (const entry of missing) {
      group.push(entry)
      if (group.length < REPAIR_GROUP) continue
      await append(group)
      count += group.length
      group = []
    }
    if (group.length > 0) await append(group)
    return count + group.length
  }

  // After republication the log is complete from where it began when it was compared, without what was cut off since.
  async #tellWhole(): Promise<void> {
    const { feedClient, append, replica, node: value } = this.#options
    const head = await feedClient.head()
    if (head === null || head.epoch !== replica.position.epoch) return
    await append([
      { kind: 'trim', value, until: replica.floor },
      { kind: 'snapshot', value, until: 0 },
    ])
    this.#incomplete = false
  }
}
