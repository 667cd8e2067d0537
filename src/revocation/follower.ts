/**
 * The follower: keeps a node's index equal to the feed, knows how fresh that is, and appends what the node revokes.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import type { ResolvedClock, Timer } from '../clock.js'
import { withDeadline } from '../deadline.js'
import { WatchwordError } from '../errors.js'
import type {
  Appended,
  CallOptions,
  FeedEvent,
  FeedHead,
  FeedInfo,
  Position,
  RevocationFeed,
} from '../feed/feed.js'
import { holdAdapter, releaseAdapter } from '../shared.js'
import { decodeEvent, encodeEvent, linkOf, MAX_ENTRIES, type RevocationEntry } from './event.js'
import { Freshness } from './freshness.js'
import type { RevocationIndex } from './index.js'

const READ_LIMIT = 500
const MAX_ATTEMPTS = 20
const LINKS = 1000
// Enough to read a hundred million events; a feed that never reaches its own head must not hold the node for ever.
const MAX_ROUNDS = 200_000

/** What the follower needs. */
export interface FollowerOptions {
  readonly feed: RevocationFeed
  readonly index: RevocationIndex
  readonly clock: ResolvedClock
  /** How long one call to the feed may take, in milliseconds. */
  readonly deadlineMs: number
}

const GENESIS: Position = { epoch: '', seq: 0, link: '' }

/** One node's place in the log. */
export class Follower {
  readonly #feed: RevocationFeed
  readonly #index: RevocationIndex
  readonly #clock: ResolvedClock
  readonly #deadlineMs: number
  readonly #stop = new AbortController()
  readonly freshness: Freshness
  #position: Position = GENESIS
  #head: FeedHead | null = null
  #poll: Timer | undefined
  #opening: Promise<void> | undefined
  #pulling: Promise<void> | undefined
  // Appends of one node wait for each other: each one builds on the link of the one before it.
  #appending: Promise<unknown> = Promise.resolve()
  #rejected = 0
  #restUntil = Number.NEGATIVE_INFINITY
  // The links of the last positions, so that a head that pushes have overtaken still proves what it is.
  readonly #links = new Map<number, string>([[0, '']])

  constructor({ feed, index, clock, deadlineMs }: FollowerOptions) {
    this.#feed = feed
    this.#index = index
    this.#clock = clock
    this.#deadlineMs = deadlineMs
    this.freshness = new Freshness(clock)
  }

  /** Claims a share of the feed, so that another authority that uses it does not close it under this one. */
  hold(): void {
    holdAdapter(this.#feed)
  }

  /** The name of the feed. */
  get name(): string {
    return this.#feed.info.name
  }

  /** What an acknowledged append survives. */
  get durability(): FeedInfo['durability'] {
    return this.#feed.info.durability
  }

  /** The last event that was applied. */
  get position(): Position {
    return this.#position
  }

  /** How many events of the head this node has not applied, as far as it knows. */
  get lag(): number {
    return this.#head === null ? 0 : Math.max(0, this.#head.seq - this.#position.seq)
  }

  /** How many events were passed over because they do not parse. */
  get rejected(): number {
    return this.#rejected
  }

  /** Opens the feed, watches it, and pulls everything there is. Rejects with `ERR_FEED_UNAVAILABLE`. */
  async start(): Promise<void> {
    // Scheduled whatever becomes of the first pull: a node that may start without the feed must come to read it.
    this.#schedule()
    await this.pull()
  }

  /** Stops following; nothing is fresh any more. */
  async stop(): Promise<void> {
    if (this.abandon()) await this.#feed.close()
  }

  /** Stops following, and leaves the feed open for whoever has it. Answers whether this node was the last to use it. */
  abandon(): boolean {
    this.#stop.abort()
    this.#poll?.cancel()
    this.freshness.revoke()
    return releaseAdapter(this.#feed)
  }

  /** Pulls what is missing and proves the head. One pull at a time; joiners share it. */
  pull(): Promise<void> {
    this.#pulling ??= this.#timedPull().finally(() => {
      this.#pulling = undefined
    })
    return this.#pulling
  }

  async #timedPull(): Promise<void> {
    const start = this.#clock.monotonic()
    try {
      await this.#pull()
    } catch (error) {
      const now = this.#clock.monotonic()
      this.#restUntil = now + (now - start)
      throw error
    }
  }

  /**
   * Pulls for a caller that cannot decide otherwise, unless a pull has just failed: after one that took its time, none
   * is tried for as long again, so that an outage does not cost each request a deadline. Never rejects; the lease tells
   * what came of it.
   */
  async confirm(): Promise<void> {
    if (this.#clock.monotonic() < this.#restUntil) return
    await this.pull().catch(() => undefined)
  }

  /** Renews the lease without waiting, where the feed lives in this process. Answers whether it did. */
  renew(): boolean {
    if (this.#stop.signal.aborted) return false
    const mark = this.freshness.mark()
    const head = this.#feed.peek?.()
    if (head === undefined || !isAt(this.#position, head)) return false
    this.freshness.prove(mark)
    return true
  }

  /**
   * Appends entries to the log and applies them here. Answers the position of the last event.
   *
   * Rejects with `ERR_REVOCATION_UNCERTAIN` when it cannot tell whether the feed took them; asking again is safe.
   */
  publish(entries: readonly RevocationEntry[]): Promise<Position> {
    const turn = this.#appending.then(() => this.#publish(entries))
    this.#appending = turn.catch(() => undefined)
    return turn
  }

  async #publish(entries: readonly RevocationEntry[]): Promise<Position> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (await this.#append(entries)) return this.#position
      await this.pull()
      // A log that lost its end takes nothing that builds on what it lost.
      if (attempt > 0 && this.#isAhead(this.#head)) this.#enter(this.#position.epoch)
    }
    throw new WatchwordError(
      'ERR_REVOCATION_UNCERTAIN',
      'the feed kept moving while a revocation was appended',
    )
  }

  async #append(entries: readonly RevocationEntry[]): Promise<boolean> {
    const expect = this.#position
    const { events, next } = buildEvents(expect, entries)
    const append = (options: CallOptions) =>
      this.#feed.append(expect.epoch === '' ? null : expect, events, next, options)
    const opened = this.#open().then(() => this.#call(append))
    const result = await opened.catch((cause: unknown): Appended => {
      throw new WatchwordError(
        'ERR_REVOCATION_UNCERTAIN',
        'the feed did not confirm a revocation',
        { cause },
      )
    })
    if (!result.ok) return false
    if (this.#position.epoch === '') this.#enter(next.epoch)
    this.#apply(events)
    return true
  }

  // Watch first, pull second: what is appended in between is then seen by one of the two.
  #open(): Promise<void> {
    this.#opening ??= this.#call((options) => this.#feed.open(options)).then(
      // The end of the channel costs latency and no more: the polls go on.
      () => void this.#watch().catch(() => undefined),
      (error: unknown) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  async #pull(): Promise<void> {
    await this.#open()
    let rewound = false
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const mark = this.freshness.mark()
      const head = await this.#call((options) => this.#feed.head(options))
      this.#head = head
      const epoch = head?.epoch ?? ''
      if (epoch !== this.#position.epoch) this.#enter(epoch)
      if (head === null || this.#links.get(head.seq) === head.link) {
        this.freshness.prove(mark)
        return
      }
      if (head.seq <= this.#position.seq) {
        // Something was applied that is not in the log: a forged push, or a log that was rolled back and went on.
        if (rewound) break
        rewound = true
        this.#enter(epoch)
      }
      await this.#readMore()
    }
    throw new WatchwordError(
      'ERR_FEED_UNAVAILABLE',
      'the feed has a head that it cannot be read up to',
    )
  }

  // Another life of the log: what was revoked stays revoked, and the new log is read from its start.
  #enter(epoch: string): void {
    this.#position = { epoch, seq: 0, link: '' }
    this.#links.clear()
    this.#links.set(0, '')
  }

  #isAhead(head: FeedHead | null): boolean {
    return head !== null && head.epoch === this.#position.epoch && head.seq < this.#position.seq
  }

  async #readMore(): Promise<void> {
    const { epoch, seq } = this.#position
    const { events } = await this.#call((options) =>
      this.#feed.read({ epoch, seq }, READ_LIMIT, options),
    )
    const before = this.#position
    this.#apply(events)
    const stuck =
      this.#position === before && before.seq < (this.#head?.seq ?? Number.MAX_SAFE_INTEGER)
    if (stuck) throw new WatchwordError('ERR_FEED_UNAVAILABLE', 'the feed ends before its head')
  }

  // Only the event that follows the position moves it; others are known already or wait for the next pull.
  #apply(events: readonly FeedEvent[]): void {
    for (const { seq, bytes } of events) {
      if (seq !== this.#position.seq + 1) continue
      const entries = decodeEvent(bytes)
      if (entries === undefined) this.#rejected++
      else for (const entry of entries) this.#index.apply(entry)
      const { epoch, link } = this.#position
      this.#position = { epoch, seq, link: linkOf(link, bytes) }
      this.#links.set(seq, this.#position.link)
      this.#links.delete(seq - LINKS)
    }
  }

  #call<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const deadline = {
      clock: this.#clock,
      deadlineMs: this.#deadlineMs,
      code: 'ERR_FEED_UNAVAILABLE' as const,
      name: `feed "${this.name}"`,
      onTimeout: () => controller.abort(),
    }
    return withDeadline(deadline, () =>
      call({ signal: controller.signal, deadlineMs: this.#deadlineMs }),
    )
  }

  #schedule(): void {
    const delay = this.#feed.info.suggestedPollMs * (0.8 + Math.random() * 0.4)
    this.#poll = this.#clock.setTimer(() => {
      if (this.#stop.signal.aborted) return
      // A failed poll needs no handling of its own: the lease runs out, and that is what verify looks at.
      void this.pull().catch(() => undefined)
      this.#schedule()
    }, delay)
  }

  async #watch(): Promise<void> {
    await this.#feed.watch?.((events) => {
      if (events !== undefined && this.#position.epoch !== '') this.#apply(events)
      if (!this.renew()) void this.pull().catch(() => undefined)
    }, this.#stop.signal)
  }
}

function isAt(position: Position, head: FeedHead | null): boolean {
  if (head === null) return position.epoch === ''
  return position.epoch === head.epoch && position.seq === head.seq && position.link === head.link
}

function buildEvents(
  after: Position,
  entries: readonly RevocationEntry[],
): { events: FeedEvent[]; next: Position } {
  const epoch = after.epoch === '' ? randomBytes(16).toString('base64url') : after.epoch
  const events: FeedEvent[] = []
  let { seq, link } = after
  for (let i = 0; i < entries.length; i += MAX_ENTRIES) {
    const bytes = encodeEvent(entries.slice(i, i + MAX_ENTRIES))
    events.push({ seq: ++seq, bytes })
    link = linkOf(link, bytes)
  }
  return { events, next: { epoch, seq, link } }
}
