/**
 * The follower: keeps a node's index in sync with the feed, tracks how fresh it is, and appends the node's revocations.
 * Correctness comes from pulling the log over an unbroken chain from the node's position to the head. Pushes only
 * reduce latency.
 *
 * @module
 */
import { type Position, samePosition, type WatchHint } from '../../feed/feed.js'
import { holdAdapter, releaseAdapter } from '../../lib/adapter-refs.js'
import type { Timer } from '../../lib/clock.js'
import type { Failures } from '../../observe/failures.js'
import type { FeedEntry, RevocationEntry } from '../index/entries.js'
import type { RevocationLog, RollCall } from '../log/revocation-log.js'
import type { AgreedTime } from './agreed-time.js'
import type { FollowerOptions } from './follower-options.js'
import { assemble, type FollowerParts } from './follower-parts.js'
import type { Freshness } from './freshness.js'
import type { Member } from './members.js'
import { type Standing, standingOf } from './standing.js'
import { Watcher } from './watcher.js'

/** One node's connection to the log. */
export class Follower implements RevocationLog {
  readonly freshness: Freshness
  /** The time by which entries may be dropped. */
  readonly time: AgreedTime
  /** Why the log could not be read or written. */
  readonly failures: Failures
  readonly #options: FollowerOptions
  readonly #parts: FollowerParts
  readonly #stop = new AbortController()
  // Jitter that spreads the nodes of a fleet. It does not need to be unpredictable.
  readonly #random = Math.random
  #watcher: Watcher | undefined
  #stopObserving: (() => void) | undefined
  #poll: Timer | undefined
  #pulling: Promise<void> | undefined
  #again = false
  #restUntil = Number.NEGATIVE_INFINITY
  #pulledAt = Number.NEGATIVE_INFINITY

  constructor(options: FollowerOptions) {
    this.#options = options
    const signal = this.#stop.signal
    this.#parts = assemble({ ...options, random: this.#random, signal, pull: () => this.pull() })
    const { freshness, time, failures } = this.#parts
    this.freshness = freshness
    this.time = time
    this.failures = failures
  }

  /** Adds a reference to the feed, so another authority on it does not close it. */
  hold(): void {
    holdAdapter(this.#options.feed)
  }

  /** The name of the feed. */
  get name(): string {
    return this.#parts.feedClient.name
  }

  /** The last event that was applied. */
  get position(): Position {
    return this.#parts.replica.position
  }

  /** The number of events between this node and the last known head. */
  get lag(): number {
    const { head } = this.#parts.puller
    return head === null ? 0 : Math.max(0, head.seq - this.#parts.replica.position.seq)
  }

  /** The number of this node's revocations that the log has not confirmed. */
  get pending(): number {
    return this.#parts.republisher.pending
  }

  /** Whether this node has revoked the entry, or one of the same target, without confirmation from the log. */
  isPending(entry: RevocationEntry): boolean {
    return this.#parts.republisher.isPending(entry)
  }

  /** The number of events skipped because they are not authentic. */
  get rejected(): number {
    return this.#parts.replica.refused
  }

  /** Counters of the push channel: how often it ended, and how often it missed an event. */
  get push(): { readonly ends: number; readonly misses: number } {
    return { ends: this.#watcher?.ends ?? 0, misses: this.#watcher?.misses ?? 0 }
  }

  /** Whether this node has applied the event at that position, in this epoch or in an earlier one. */
  reached({ epoch, seq }: { readonly epoch: string; readonly seq: number }): boolean {
    return this.#parts.replica.reached(epoch, seq)
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
      feedClient: this.#parts.feedClient,
      replica: this.#parts.replica,
      signal: this.#stop.signal,
      wake: (hint) => this.#wake(hint),
      onEnd: () => this.doubt(),
      random: this.#random,
    })
    try {
      void this.compareServers()
      // If this fails, the first store read takes the cursor.
      await this.#parts.reconciler.begin().catch(() => undefined)
      await this.pull()
      await this.#parts.membership.hello()
    } finally {
      this.#schedule()
    }
  }

  /** Checks whether store and feed run on one server, in which case the store is no witness. Never rejects. */
  compareServers(): Promise<void> {
    return this.#parts.witness.compare(this.#options.storeIdentity, () =>
      this.#parts.feedClient.identity(),
    )
  }

  /** The other nodes, and the evidence that this node shares their log. */
  get standing(): Standing {
    return standingOf(this.#parts.membership.members, this.#parts.witness, this.time)
  }

  /** The id of this node as a member of the feed. */
  get member(): string {
    return this.#parts.membership.life
  }

  /** The other members of the feed whose entries have not ended. */
  get others(): readonly Member[] {
    return this.#parts.membership.members.others()
  }

  /** Stops following. The lease ends immediately. */
  async stop(): Promise<void> {
    const silentMs = this.#options.clock.monotonic() - this.#pulledAt
    if (silentMs <= this.#options.maxStalenessMs)
      await this.#parts.membership.leave().catch(() => undefined)
    if (this.abandon()) await this.#options.feed.close()
  }

  /**
   * Stops following and leaves the feed open for its other users. Resolves with whether this node was the last user.
   */
  abandon(): boolean {
    this.#stop.abort()
    this.#stopObserving?.()
    this.#poll?.cancel()
    this.#parts.membership.stop()
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
      const read = await this.#parts.puller.pull()
      if (polled && read > 0) this.#watcher?.missed()
      this.#pulledAt = start
      this.failures.clear()
      this.#parts.republisher.settle()
      this.#parts.membership.live()
      if (this.#parts.lacksStore()) this.#parts.membership.seekSigns()
    } catch (error) {
      this.failures.note(error)
      const now = this.#options.clock.monotonic()
      this.#restUntil = now + (now - start)
      this.doubt()
      throw error
    }
  }

  /**
   * Pulls for a caller that cannot decide otherwise. After a failed pull, waits as long as it took before the next one,
   * so an outage does not cost each request a full timeout. Never rejects; the caller checks the lease.
   */
  async confirm(): Promise<void> {
    if (this.#options.clock.monotonic() < this.#restUntil) return
    await this.pull().catch(() => undefined)
  }

  /** Applies what the store received since it was last read. Rejects like the store. */
  readStore(): Promise<void> {
    return this.#parts.reconciler.read()
  }

  /** Reads recent revocations from the store at the next proof, because the log may have been replaced. */
  doubt(): void {
    this.#parts.reconciler.suspect()
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
      return await this.#parts.publisher.append(entries)
    } catch (error) {
      this.#parts.republisher.keep(entries)
      throw error
    }
  }

  /** Appends entries like `publish`, and asks every running node to confirm that it has applied them. */
  rollCall(entries: readonly FeedEntry[], timeoutMs: number): Promise<RollCall> {
    return this.#parts.membership.call((call) => this.publish([...entries, call]), timeoutMs)
  }

  /** Drops expired events from the log, if the feed supports it. Never rejects. */
  compact(now: number): Promise<void> {
    return this.#parts.compactor.run(now).catch(() => undefined)
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return
    this.#poll = this.#options.clock.setTimer(() => {
      const before = this.position
      // A failed poll needs no handling here: the lease expires, and verify checks the lease.
      void this.pull(true)
        .catch(() => undefined)
        .finally(() => {
          if (this.position !== before) this.#parts.pace.quicken()
          this.#schedule()
        })
    }, this.#parts.pace.next(this.#isCalm))
  }

  // A node that has read everything and waits for evidence polls often: the next seal may provide it.
  get #isCalm(): boolean {
    const { maxStalenessMs, clock } = this.#options
    const isFresh = this.freshness.within(maxStalenessMs, clock.judged())
    if (this.#parts.lacksStore()) return false
    return (isFresh || this.failures.isUnread) && this.#watcher?.reliable === true
  }

  #wake(hint?: WatchHint): void {
    if (this.#stop.signal.aborted) return
    const events = hint?.events ?? []
    let certain = events.length > 0
    for (const event of events) {
      const taken = this.#parts.replica.take(event)
      if (taken !== 'applied' && taken !== 'known') certain = false
    }
    if (events.length > 0) this.#parts.pace.quicken()
    if (certain || this.renew()) return
    // A pull in flight may have requested the head too early.
    if (this.#pulling === undefined) void this.pull().catch(() => undefined)
    else this.#again = true
  }
}
