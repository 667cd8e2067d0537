/**
 * The follower: keeps a node's index in sync with the feed, tracks how fresh it is, and appends the node's revocations.
 * Correctness comes from pulling the log over an unbroken chain from the node's position to the head. Pushes only
 * reduce latency.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { type FeedInfo, type Position, samePosition, type WatchHint } from '../../feed/feed.js'
import { holdAdapter, releaseAdapter } from '../../lib/adapter-refs.js'
import type { Timer } from '../../lib/clock.js'
import { Failures } from '../../observe/failures.js'
import type { FeedEntry, RevocationEntry } from '../log/event.js'
import { FeedClient } from '../log/feed-client.js'
import { AgreedTime } from './agreed-time.js'
import { Compactor } from './compactor.js'
import { EpochWriter } from './epoch-writer.js'
import type { FollowerOptions } from './follower-options.js'
import { Freshness } from './freshness.js'
import { Membership, type RollCall } from './membership.js'
import { Pace } from './pace.js'
import { Publisher } from './publisher.js'
import { Puller } from './puller.js'
import { Reconciler } from './reconciler.js'
import { Recovery } from './recovery.js'
import { Replica } from './replica.js'
import { Republisher } from './republisher.js'
import { type Standing, standingOf } from './standing.js'
import { Watcher } from './watcher.js'
import { Witness } from './witness.js'

/** One node's place in the log. */
export class Follower {
  readonly freshness: Freshness
  /** The time by which entries may be dropped. */
  readonly time: AgreedTime
  /** Why the log could not be read or written. */
  readonly failures: Failures
  readonly #options: FollowerOptions
  readonly #feedClient: FeedClient
  readonly #replica: Replica
  readonly #publisher: Publisher
  readonly #republisher: Republisher
  readonly #recovery: Recovery
  readonly #reconciler: Reconciler
  readonly #puller: Puller
  readonly #membership: Membership
  readonly #witness: Witness
  readonly #compactor: Compactor
  readonly #stop = new AbortController()
  // Jitter that spreads the nodes of a fleet. It does not need to be unpredictable.
  readonly #random = Math.random
  #watcher: Watcher | undefined
  #stopObserving: (() => void) | undefined
  #poll: Timer | undefined
  readonly #pace: Pace
  #pulling: Promise<void> | undefined
  #again = false
  #restUntil = Number.NEGATIVE_INFINITY
  #pulledAt = Number.NEGATIVE_INFINITY

  constructor(options: FollowerOptions) {
    const { clock, deadlineMs, maxStalenessMs, toleranceMs, node: name } = options
    this.#options = options
    this.freshness = new Freshness(clock, maxStalenessMs, toleranceMs)
    // A node repeats the request before a slow response makes it stale.
    const probeMs = Math.min(deadlineMs, Math.max(50, maxStalenessMs / 4))
    this.failures = new Failures(clock)
    this.#feedClient = new FeedClient({ ...options, probeMs, failures: this.failures })
    this.#pace = new Pace({ ...options, random: this.#random })
    const writer = new Uint8Array(randomBytes(16))
    this.time = new AgreedTime({
      ...options,
      writer,
      onDisagreement: () => options.onIncident('clock', 1),
    })
    this.#witness = new Witness({ ...options, writer, time: this.time })
    this.#replica = new Replica({
      ...options,
      time: this.time,
      onNode: (entry, event) => this.#membership.hear(entry, event),
      onEvent: (event) => {
        this.#witness.note(event)
        const isSign = this.#membership.sign(event, this.#puller.reachedAt)
        if (isSign && this.#witness.storeFails) this.#puller.weigh()
      },
    })
    const append = (entries: readonly FeedEntry[]) => this.#publisher.append(entries)
    const shared = {
      ...options,
      feedClient: this.#feedClient,
      replica: this.#replica,
      freshness: this.freshness,
      witness: this.#witness,
      signal: this.#stop.signal,
      writer,
      time: this.time,
      random: this.#random,
      newEpoch: () => randomBytes(16).toString('base64url'),
      append,
    }
    this.#publisher = new Publisher({
      ...shared,
      pull: () => this.pull(),
      onAppended: () => {
        this.#pace.quicken()
        this.#membership.signed()
      },
    })
    this.#republisher = new Republisher(shared)
    const republisher = this.#republisher
    const epochs = new EpochWriter({ ...shared, republisher })
    this.#recovery = new Recovery({ ...shared, epochs, republisher })
    this.#membership = new Membership({ ...shared, name })
    this.#reconciler = new Reconciler({
      ...shared,
      isWitness: () => this.#witness.hasStore,
      isContinued: () => this.#recovery.hasBackfilled || this.#membership.members.hasElder,
      onKnown: (asked) => {
        this.#witness.noteStore(asked)
        this.#puller.weigh()
      },
      onUnread: () => {
        this.#witness.storeFails = true
        this.#membership.seekSigns()
      },
    })
    this.#puller = new Puller({
      ...shared,
      membership: this.#membership,
      recovery: this.#recovery,
      reconciler: this.#reconciler,
    })
    this.#compactor = new Compactor({ ...shared, membership: this.#membership })
  }

  /** Claims a share of the feed, so that another authority on the same feed does not close it. */
  hold(): void {
    holdAdapter(this.#options.feed)
  }

  /** The name of the feed. */
  get name(): string {
    return this.#feedClient.name
  }

  /** What an acknowledged append survives. */
  get durability(): FeedInfo['durability'] {
    return this.#options.feed.info.durability
  }

  /** The last event that was applied. */
  get position(): Position {
    return this.#replica.position
  }

  /** How many events behind the last known head this node is. */
  get lag(): number {
    const { head } = this.#puller
    return head === null ? 0 : Math.max(0, head.seq - this.#replica.position.seq)
  }

  /** How many revocations of this node the log has not confirmed. */
  get owed(): number {
    return this.#republisher.owed
  }

  /** Whether this node has revoked the entry, or one of the same target, without confirmation from the log. */
  owes(entry: RevocationEntry): boolean {
    return this.#republisher.owes(entry)
  }

  /** How many events were skipped because they are not authentic. */
  get rejected(): number {
    return this.#replica.refused
  }

  /** Counters of the push channel: how often it ended, and how often it missed an event. */
  get push(): { readonly ends: number; readonly misses: number } {
    return { ends: this.#watcher?.ends ?? 0, misses: this.#watcher?.misses ?? 0 }
  }

  /** Whether this node has applied the event at that position, in this epoch or in an earlier one. */
  reached({ epoch, seq }: { readonly epoch: string; readonly seq: number }): boolean {
    return this.#replica.reached(epoch, seq)
  }

  /**
   * Watches the feed and pulls the whole log. Rejects with `ERR_FEED_UNAVAILABLE` and keeps trying.
   * The watch starts first, so an event appended during the pull is seen by one of the two.
   */
  async start(): Promise<void> {
    const { feed, onIncident } = this.#options
    this.#stopObserving = feed.observe?.(onIncident)
    this.#watcher = new Watcher({
      ...this.#options,
      feedClient: this.#feedClient,
      replica: this.#replica,
      signal: this.#stop.signal,
      wake: (hint) => this.#wake(hint),
      onEnd: () => this.doubt(),
      random: this.#random,
    })
    try {
      void this.compareServers()
      // If this fails, the first store read takes the cursor.
      await this.#reconciler.begin().catch(() => undefined)
      await this.pull()
      await this.#membership.hello()
    } finally {
      this.#schedule()
    }
  }

  /** Asks whether store and feed run on one server, in which case the store is no witness. Never rejects. */
  compareServers(): Promise<void> {
    return this.#witness.compare(this.#options.storeIdentity, () => this.#feedClient.identity())
  }

  /** The other nodes, and the evidence that this node shares their log. */
  get standing(): Standing {
    return standingOf(this.#membership.members, this.#witness, this.time)
  }

  /** Stops following. The lease ends immediately. */
  async stop(): Promise<void> {
    const silentMs = this.#options.clock.monotonic() - this.#pulledAt
    if (silentMs <= this.#options.maxStalenessMs)
      await this.#membership.leave().catch(() => undefined)
    if (this.abandon()) await this.#options.feed.close()
  }

  /**
   * Stops following and leaves the feed open for its other users. Resolves with whether this node was the last user.
   */
  abandon(): boolean {
    this.#stop.abort()
    this.#stopObserving?.()
    this.#poll?.cancel()
    this.#membership.stop()
    this.freshness.revoke()
    return releaseAdapter(this.#options.feed)
  }

  /**
   * Pulls missing events and proves the head. One pull runs at a time; concurrent callers share it.
   * @param polled - Whether this is a scheduled poll: events that it finds were missed by the push channel.
   */
  pull(polled = false): Promise<void> {
    this.#pulling ??= this.#timedPull(polled).finally(() => {
      this.#pulling = undefined
      if (this.#again && !this.#stop.signal.aborted) void this.pull().catch(() => undefined)
      this.#again = false
    })
    return this.#pulling
  }

  async #timedPull(polled: boolean): Promise<void> {
    const start = this.#options.clock.monotonic()
    try {
      const read = await this.#puller.pull()
      if (polled && read > 0) this.#watcher?.missed()
      this.#pulledAt = start
      this.failures.clear()
      this.#republisher.settle()
      this.#membership.live()
      if (this.#lacksStore) this.#membership.seekSigns()
    } catch (error) {
      this.failures.note(error)
      const now = this.#options.clock.monotonic()
      this.#restUntil = now + (now - start)
      this.doubt()
      throw error
    }
  }

  /**
   * Pulls for a caller that cannot decide without it. After a failed pull, none is started for as long as that pull
   * took, so an outage does not cost each request a full timeout. Never rejects; the caller checks the lease.
   */
  async confirm(): Promise<void> {
    if (this.#options.clock.monotonic() < this.#restUntil) return
    await this.pull().catch(() => undefined)
  }

  /** Reads recent revocations from the store at the next proof, because the log may have been replaced. */
  doubt(): void {
    this.#reconciler.suspect()
  }

  /** Renews the lease synchronously if the feed is in this process. Returns whether it did. */
  renew(): boolean {
    if (this.#stop.signal.aborted) return false
    const mark = this.freshness.mark()
    const head = this.#options.feed.peek?.()
    if (
      head === undefined ||
      !samePosition(head, this.position.epoch === '' ? null : this.position)
    )
      return false
    this.freshness.prove(mark)
    return true
  }

  /**
   * Appends entries to the log and applies them locally. Resolves with the position of the last event.
   *
   * Rejects with `ERR_REVOCATION_UNCERTAIN` if it is unknown whether the feed accepted them. The node then keeps
   * retrying; calling again is safe.
   */
  async publish(entries: readonly FeedEntry[]): Promise<Position> {
    try {
      return await this.#publisher.append(entries)
    } catch (error) {
      this.#republisher.owe(entries)
      throw error
    }
  }

  /** Appends entries like `publish`, and asks every running node to confirm that it has applied them. */
  rollCall(entries: readonly FeedEntry[], timeoutMs: number): Promise<RollCall> {
    return this.#membership.call((call) => this.publish([...entries, call]), timeoutMs)
  }

  /** Drops expired events from the log, if the feed supports it. Never rejects. */
  compact(now: number): Promise<void> {
    return this.#compactor.run(now).catch(() => undefined)
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return
    this.#poll = this.#options.clock.setTimer(() => {
      const before = this.position
      // A failed poll needs no handling here: the lease expires, and verify checks the lease.
      void this.pull(true)
        .catch(() => undefined)
        .finally(() => {
          if (this.position !== before) this.#pace.quicken()
          this.#schedule()
        })
    }, this.#pace.next(this.#isCalm))
  }

  // Whether the other members have to vouch for the log, because the store does not respond.
  get #lacksStore(): boolean {
    return this.#witness.hasStore && (this.#witness.storeFails || this.#reconciler.isLate)
  }

  // A node that has read everything and waits for evidence polls often: the next seal may provide it.
  get #isCalm(): boolean {
    const { maxStalenessMs, clock } = this.#options
    const isFresh = this.freshness.within(maxStalenessMs, clock.judged())
    return (isFresh || this.failures.isUnread) && this.#watcher?.reliable === true
  }

  #wake(hint?: WatchHint): void {
    if (this.#stop.signal.aborted) return
    const events = hint?.events ?? []
    let certain = events.length > 0
    for (const event of events) {
      const taken = this.#replica.take(event)
      if (taken !== 'applied' && taken !== 'known') certain = false
    }
    if (events.length > 0) this.#pace.quicken()
    if (certain || this.renew()) return
    // A pull in flight may have requested the head too early.
    if (this.#pulling === undefined) void this.pull().catch(() => undefined)
    else this.#again = true
  }
}
