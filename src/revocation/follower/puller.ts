/**
 * The puller: reads from a node's own position to the head of the log, and proves that it is the head.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { type SealedEvent, type SealedHead, sameBytes } from '../../feed/feed.js'
import { has } from '../../lib/fields.js'
import type { FeedClient } from '../log/feed-client.js'
import { type Opened, open, openHead, sealHead } from '../log/seal.js'
import { indexFull, unavailable, unknownEntry } from '../log/unavailable.js'
import type { AgreedTime } from './agreed-time.js'
import type { FollowerOptions } from './follower-options.js'
import type { Freshness, TimeMark } from './freshness.js'
import { lifeOf } from './members.js'
import type { Membership } from './membership.js'
import type { Reconciler } from './reconciler.js'
import type { Recovery } from './recovery.js'
import type { Replica, Taken } from './replica.js'
import type { Witness } from './witness.js'

const READ_LIMIT = 500
// Enough for a hundred million events. A feed that never reaches its own head must not block the node indefinitely.
const MAX_ROUNDS = 200_000
const MAX_STUCK = 2
const MAX_SHOWN = 3
const MAX_TEARS = 3
// A few milliseconds of work, after which the puller yields to the event loop.
const BYTES_A_TURN = 100_000
/**
 * A seal older than this, or than a fifth of a lease, is refreshed by the first node that reads it and did not make it.
 * Each of two nodes then sees the other's seal twice per lease.
 */
const BEACON_MS = 2000
const BEACON_SHARE = 0.2

/** Options of the puller. */
export interface PullerOptions extends FollowerOptions {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly freshness: Freshness
  readonly recovery: Recovery
  readonly reconciler: Reconciler
  readonly time: AgreedTime
  readonly membership: Membership
  readonly witness: Witness
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  readonly signal: AbortSignal
  /** A number in [0, 1). */
  readonly random: () => number
}

interface Attempt {
  rewound: boolean
  stuck: number
  frozen: number
  /** The number of events read. */
  read: number
}

interface Round {
  /** The position of this node when it requested the head. */
  readonly sent: { readonly epoch: string; readonly seq: number }
  readonly mark: TimeMark
  readonly attempt: Attempt
  /**
   * What this node had reached when it requested the head. A response of `touch` may overtake that of `head`, which is
   * then older than what was reached since.
   */
  readonly known: Reached
}

/** The last reached head, and when it was requested. */
interface Reached {
  readonly head: SealedHead | undefined
  readonly at: TimeMark | undefined
}

/** Brings one replica up to the head of its log. */
export class Puller {
  readonly #options: PullerOptions
  readonly #feedClient: FeedClient
  readonly #replica: Replica
  #head: SealedHead | null = null
  // The number of consecutive pulls that found a head not connected to the events.
  #tears = 0
  // When the last reached head was requested: at that time this node knew the whole log.
  #reachedAt: TimeMark | undefined
  #reached: SealedHead | undefined
  // When the last reached head was sealed.
  #sealedAt: number | undefined

  constructor(options: PullerOptions) {
    this.#options = options
    this.#feedClient = options.feedClient
    this.#replica = options.replica
  }

  /** The last head that was read. */
  get head(): SealedHead | null {
    return this.#head
  }

  /**
   * Pulls until the head is reached and proved. Resolves with the number of events read. Rejects with
   * `ERR_FEED_UNAVAILABLE`.
   */
  async pull(): Promise<number> {
    await this.#feedClient.open()
    const { recovery, freshness, time, signal } = this.#options
    const attempt = { rewound: false, stuck: 0, frozen: 0, read: 0 }
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (signal.aborted)
        throw new WatchwordError('ERR_FEED_UNAVAILABLE', 'the authority was closed')
      const { position, seen } = this.#replica
      const sent = { epoch: position.epoch, seq: seen }
      const known = { head: this.#reached, at: this.#reachedAt }
      const mark = freshness.mark()
      const head = await this.#feedClient.head()
      if (head === null) {
        time.begin()
        this.#suspect(attempt)
        if (await recovery.createLog()) continue
        freshness.prove(mark)
        return attempt.read
      }
      if (await this.#settle(head, { sent, mark, attempt, known })) return attempt.read
    }
    throw unavailable('the events of the feed do not reach its head')
  }

  /** Advances one step towards this head. Resolves with whether it is reached and proved to be the head. */
  async #settle(head: SealedHead, round: Round): Promise<boolean> {
    const { sent, attempt } = round
    const { recovery } = this.#options
    const opened = await this.#open(head)
    if (opened === undefined) {
      this.#suspect(attempt)
      return false
    }
    this.#note(head, opened)
    const replica = this.#replica
    const { epoch, seq } = replica.position
    if (head.epoch !== epoch) {
      await recovery.enter(head, opened, epoch === '' ? undefined : 'epoch')
      return false
    }
    replica.learn(head, opened)
    // An authoritative head is never behind a position that was known before the request.
    const behind = sent.epoch === epoch && head.seq < sent.seq
    if (this.#isWhole(head) && !behind) return this.#arrive(head, opened, round)
    if (head.floor > seq + 1 && head.seq > seq) await recovery.enter(head, opened, undefined)
    else if (head.seq <= seq || behind || attempt.stuck >= MAX_STUCK) {
      // An applied event is missing in the log: the log was rolled back and may have continued from there.
      if (attempt.rewound) return this.#torn(head)
      attempt.rewound = true
      attempt.stuck = 0
      await recovery.enter(head, opened, behind ? 'rollback' : 'fork')
    } else await this.#readOn(head, attempt)
    return false
  }

  #isWhole(head: SealedHead): boolean {
    return this.#replica.agrees(head) && !this.#replica.contradicted
  }

  /** Processes a head that this node has read the log up to. Resolves with whether it is proved to be the head. */
  async #arrive(head: SealedHead, opened: Opened, round: Round): Promise<boolean> {
    this.#tears = 0
    this.#settleSigns(head, opened, round.known)
    await this.#options.reconciler.settle(round.mark)
    return this.#prove(opened, round.mark, round.attempt)
  }

  #note(head: SealedHead, opened: Opened): void {
    const { time, witness, membership, writer } = this.#options
    // A head that did not exist a moment ago was made since then.
    const isNew = this.#head !== null && this.#head.beaconAt !== head.beaconAt
    this.#head = head
    time.note(opened)
    witness.note(opened)
    if (isNew && !sameBytes(opened.writer, writer)) membership.members.seen(lifeOf(opened.writer))
  }

  // Both heads belong to one history, so the new events of this one were written since the last one.
  #settleSigns(head: SealedHead, { writer }: Opened, { head: last, at }: Reached): void {
    const { members } = this.#options.membership
    const continues = last !== undefined && this.#replica.agrees(last)
    if (continues && last.beaconAt !== head.beaconAt) members.signed(lifeOf(writer))
    members.settleSigns(continues ? at : undefined)
    this.#reached = head
  }

  // Handles an invalid seal of a head: a new key is checked first, then tampering is assumed.
  async #open(head: SealedHead): Promise<Opened | undefined> {
    const { keys } = this.#options
    let opened = openHead(keys, head)
    if (has(opened, 'failure') && opened.failure === 'unknown_key') {
      await keys.refresh()
      opened = openHead(keys, head)
    }
    if (!has(opened, 'failure')) return opened
    await this.#options.recovery.repairHead(head, opened)
    return undefined
  }

  async #readOn(head: SealedHead, attempt: Attempt): Promise<void> {
    const before = this.#replica.position
    const { events } = await this.#feedClient.read(before, READ_LIMIT)
    await this.#takeAll(events, head)
    if (this.#replica.position !== before) {
      attempt.read += events.length
      return
    }
    // The log may have been trimmed or restarted between the two reads; the next head shows it.
    attempt.stuck++
  }

  // Events in the middle are missing and cannot be inserted. A failed read may succeed next time. If the gap persists,
  // starts a new epoch with the entries of the nodes and the store.
  async #torn(head: SealedHead): Promise<never> {
    this.#tears++
    if (this.#tears >= MAX_TEARS) await this.#options.recovery.replace(head)
    throw unavailable('the feed ends before its head')
  }

  async #takeAll(events: readonly SealedEvent[], head: SealedHead): Promise<void> {
    const { onIncident } = this.#options
    let bytes = 0
    for (const event of events) {
      const taken = await this.#take(event, head.seq)
      if (taken === 'refused') onIncident('refused', 1)
      if (taken === 'unreadable') await this.#unreadable(event, head)
      if (taken === 'full') {
        onIncident(taken, 1)
        throw indexFull()
      }
      bytes += event.bytes.length
      if (bytes > BYTES_A_TURN) {
        bytes = 0
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  // A flipped bit can name another key. An event of a future format is left to nodes that support it.
  async #unreadable(event: SealedEvent, head: SealedHead): Promise<never> {
    const { keys, recovery, onIncident } = this.#options
    onIncident('unreadable', 1)
    const opened = open(keys, 'event', event.bytes)
    if (has(opened, 'claimed') && ++this.#tears >= MAX_TEARS)
      await recovery.replaceUnreadable(head, opened.claimed.at)
    throw has(opened, 'failure')
      ? unavailable('the feed contains an event that this node cannot read')
      : unknownEntry()
  }

  // A key that is not loaded may be new.
  async #take(event: SealedEvent, covered: number): Promise<Taken> {
    const taken = this.#replica.take(event, covered)
    if (taken !== 'unreadable') return taken
    await this.#options.keys.refresh()
    return this.#replica.take(event, covered)
  }

  /**
   * Records the proof as far as there is evidence that this head belongs to the complete log. Refreshes an old seal: a
   * log that accepts the new seal is not a stale copy. Resolves with whether the head was confirmed.
   */
  async #prove(head: Opened, mark: TimeMark, attempt: Attempt): Promise<boolean> {
    const { feed, freshness, clock, time, maxStalenessMs, toleranceMs } = this.#options
    if (feed.touch === undefined || feed.peek !== undefined) {
      freshness.prove(mark)
      return true
    }
    const sealedAt = time.ownTimeOf(head.at)
    const age = clock.judged() - sealedAt
    const isCurrent = age <= maxStalenessMs && age >= -toleranceMs
    if (!isCurrent && !(await this.#touch(head))) {
      // Another node may have appended in between. A log that returns the same head again is a stale copy.
      this.#suspect(attempt)
      return false
    }
    const wasFresh = freshness.within(maxStalenessMs, mark[0])
    this.#reachedAt = mark
    this.#sealedAt = isCurrent ? sealedAt : mark[0]
    this.weigh()
    // Runs in the background while the old seal is recent enough. Nodes may refresh it concurrently.
    if (isCurrent && age > this.#dueAfter(head, wasFresh)) void this.#touch(head).catch(() => false)
    return true
  }

  /** Extends the proof of the reached head as far as the evidence allows. */
  weigh(): void {
    const { freshness, witness, membership } = this.#options
    const sealedAt = this.#trustsItself ? this.#sealedAt : undefined
    const newest = witness.newest(membership.members, sealedAt)
    if (this.#reachedAt !== undefined && newest > Number.NEGATIVE_INFINITY)
      freshness.prove(this.#reachedAt, newest)
  }

  /** Whether this node's own seal is evidence: if the node is alone, or the log cannot split. */
  get #trustsItself(): boolean {
    const { feed, membership } = this.#options
    return feed.info.splits === false || membership.members.alone
  }

  // A returning node reacts to another node's seal immediately, because that node may be waiting for it.
  #dueAfter({ writer }: Opened, wasFresh: boolean): number {
    const { maxStalenessMs, random } = this.#options
    const isOwn = sameBytes(writer, this.#options.writer)
    if (!isOwn && !wasFresh) return 0
    const shares = isOwn ? 2 : 1
    return shares * Math.min(BEACON_MS, maxStalenessMs * BEACON_SHARE) * (1 + random() / 2)
  }

  /** Records a head that must have changed by the next pull. */
  #suspect(attempt: Attempt): void {
    attempt.frozen++
    if (attempt.frozen <= MAX_SHOWN) return
    this.#options.onIncident('frozen', 1)
    throw unavailable('the feed shows a head that its log does not have')
  }

  async #touch({ epoch, seq, link }: Opened): Promise<boolean> {
    const { keys, time, writer, freshness } = this.#options
    const reached = this.#reached
    await keys.ready()
    const mark = freshness.mark()
    const at = time.stamp()
    const { floor: first, snapshotSeq: second } = this.#replica
    const header = { epoch, seq, link, at, first, second, writer }
    const next = sealHead(keys, header, time.vouched())
    const touched = await this.#feedClient.touch({ epoch, seq, link }, next)
    // A head that was reached since then may be newer than this seal.
    const isNewest =
      this.#reached?.seq === reached?.seq && this.#reached?.beaconAt === reached?.beaconAt
    // Uses the clock that judges the lease: a seal of this node is as old as the request, even if the wall clock was
    // stepped.
    if (touched && isNewest && this.#replica.agrees({ epoch, seq, link })) {
      this.#reachedAt = mark
      this.#reached = next
      this.#sealedAt = mark[0]
      this.weigh()
    }
    return touched
  }
}
