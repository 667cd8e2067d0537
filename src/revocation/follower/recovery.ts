/**
 * Recovery: what a node does about a log that is gone, was set back, cut short, begun anew or tampered with.
 *
 * What a node knows it never unlearns. It reads the log that there is, compares, and gives back what is missing.
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
// A head of unknown make that is older than this has no living writer.
const ABANDONED_MS = 60_000
// In the place of a snapshot that no log can have: what the log lacks is still being given back to it.
const INCOMPLETE = 2 ** 48 - 1

/** What recovery needs. */
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

/** Mends what can be mended, and says so. */
export class Recovery {
  readonly #options: RecoveryOptions
  // What this node has revoked, and the log may not have.
  readonly #owed = new Outbox()
  #paying = false
  #repairing = false
  // Whether the log has to be told that it is whole again, and where it begins now.
  #incomplete = false
  // Whether this node founded the log, so that giving back is for nobody else to do first.
  #founder = false
  // Whether the log began too late when it was entered last.
  #isShort = false
  /** Whether the store was read as a whole; from then on this node hears of everything. */
  hasRefilled = false

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** Keeps entries that the log may not have taken, to offer them again when it answers. */
  owe(entries: readonly FeedEntry[]): void {
    this.#owed.add(entries)
  }

  /** Whether the entry, or one of the same target, waits for the log. */
  owes(entry: RevocationEntry): boolean {
    return this.#owed.has(entry)
  }

  /** How many entries wait for the log. */
  get owed(): number {
    return this.#owed.size
  }

  /**
   * There is no log. Founds one; what this node and the store know goes into it as soon as it is there. Answers whether
   * to look again; if not, nothing is known that a log could hold, and the first to revoke something founds it.
   */
  async createLog(): Promise<boolean> {
    const { feed, replica, onIncident } = this.#options
    const first = replica.position.epoch === ''
    if (!first) onIncident('missing', 1)
    if (!first || !this.hasRefilled) await this.#backfill()
    // What this node is about to revoke is no matter of recovery: whoever publishes it founds the log with it.
    const nothing = first && replica.shadow === undefined
    if (nothing && feed.peek !== undefined) return false
    await this.#begin(null)
    return true
  }

  /**
   * Goes into the log of this head from its beginning, or from the snapshot that stands for it.
   *
   * @param reason - What happened to the log that this node was following, if anything did.
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

  // Nobody has sealed it for a while: whatever was done to it since, nobody has mended. A seal of a time to come does not
  // tell for how long.
  #isAsleep({ at }: Opened): boolean {
    const { clock, maxStalenessMs, toleranceMs } = this.#options
    const age = clock.judged() - at
    return age > maxStalenessMs + toleranceMs || age < -toleranceMs
  }

  async #enterTrimmed(head: SealedHead, opened: Opened, isDamaged: boolean): Promise<void> {
    const { replica } = this.#options
    const { epoch, seq, floor, link } = head
    const loaded = opened.second > 0 && opened.second < INCOMPLETE ? await this.#load() : undefined
    // An older snapshot does not have what was trimmed after it; one of another life of the log has nothing of it.
    const covers = loaded !== undefined && loaded.epoch === epoch && loaded.seq >= opened.second
    const whole = floor <= opened.first && (opened.second === 0 || covers)
    if (!whole) return this.#beginAfterTrim(head, isDamaged)
    this.#isShort = false
    if (covers && loaded.seq >= floor - 1) replica.enter(epoch, loaded.seq, loaded.link)
    else replica.enter(epoch, floor - 1, seq === floor - 1 ? link : undefined)
  }

  // What was trimmed is known to nodes that have read it, and see nothing wrong: in a new life of the log each gives back
  // what it has.
  async #beginAfterTrim(head: SealedHead, isDamaged: boolean): Promise<void> {
    const { onIncident, backfill } = this.#options
    const isSure = this.#isShort
    this.#isShort = true
    // A snapshot may just be replaced by the next: what is seen twice is so.
    if (!isSure) return
    onIncident('trimmed', 1)
    if (!isDamaged && backfill === undefined)
      throw unavailable('the feed lost events that nobody has')
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
   * The log may have lost what this node has not read: the store knows, and from here on what is read is compared with
   * everything that is known.
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
   * The seal of the head does not hold. If somebody spoilt it, this node puts it right: from its own position, as far as
   * the log still goes, or with a new life of the log. It does not take a log away from others who have other keys.
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
   * An event is sealed with a key that neither this node nor the store has. Begins the log anew, as one with a hole, unless
   * there may be somebody who has the key.
   */
  async replaceUnreadable(head: SealedHead, sealedAt: number): Promise<void> {
    if (this.#isAbandoned(sealedAt)) await this.replace(head)
  }

  #isAbandoned(sealedAt: number): boolean {
    return Math.abs(this.#options.clock.judged() - sealedAt) >= ABANDONED_MS
  }

  /** The log has a hole. Begins it anew, if what was in the hole is known: to this node, which followed it, or to the store. */
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
    // Its end may have been cut off before this node had read it.
    if (ok && !has(opened, 'failure')) await this.#enter(head, opened, true)
  }

  // Of several nodes that come at once the log takes one; the others find its log when they look again.
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
   * Puts a new life of the log in the place of the one that stands. Nodes that see nothing wrong with that one go on
   * appending to it, so that its head moves: the log is offered the new one again at once, before they are ready.
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

  /** The head is reached: what the log lacks and this node has can go back to it now. */
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
      // They are offered again after the next proof.
    } finally {
      this.#paying = false
    }
  }

  // The first node to come repairs the log; the others, which come a little later, find less to do or nothing.
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
      // Another comparison may have begun meanwhile: it is for the next round.
      if (replica.shadow === shadow) replica.shadow = undefined
      this.#founder = false
      if (repaired > 0) onIncident('restored', repaired)
    } catch {
      // What is missing is found again after the next proof.
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

  // With everything back in it, the log is whole from where it began when it was compared; what somebody cut off since is
  // not in it.
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
