/**
 * The feed contract: an authoritative, append-only log of opaque events that every node pulls, with an optional push
 * channel that only buys latency.
 *
 * An adapter stores and returns bytes that it cannot read. It never decides what is fresh or complete: the core does,
 * from positions. It validates nothing and keeps no timers of its own.
 *
 * @module
 */

/** Where a log stands. Comparable only inside one epoch. */
export interface Position {
  /** Names one life of the log: 16 random bytes as base64url. */
  readonly epoch: string
  /** Dense from 1; 0 is a log without events. */
  readonly seq: number
  /** Chains the event to all before it; empty at 0. */
  readonly link: string
}

/** One event as an adapter sees it. */
export interface FeedEvent {
  readonly seq: number
  readonly bytes: Uint8Array
}

/** The newest position, and how far back the log still reaches. */
export interface FeedHead extends Position {
  /** The lowest `seq` that can still be read. */
  readonly floor: number
}

/** What comes with every call. The core enforces the deadline itself; the signal says when it gave up. */
export interface CallOptions {
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

/** Whether an append took place; if not, where the log stands instead. */
export type Appended =
  | { readonly ok: true }
  | { readonly ok: false; readonly head: FeedHead | null }

/** What a feed is, for the core and for health. */
export interface FeedInfo {
  readonly name: string
  /** What an acknowledged append survives. */
  readonly durability: 'process' | 'fsync' | 'quorum' | 'unknown'
  /** How often the head should be asked when nothing was pushed, in milliseconds. */
  readonly suggestedPollMs: number
}

/** The adapter between the authority and a log. */
export interface RevocationFeed {
  readonly info: FeedInfo

  /** Makes the feed ready. Called before any other method; a second call changes nothing. */
  open(options: CallOptions): Promise<void>

  /** Answers the authoritative head, never a replica's; `null` when the log does not exist yet. */
  head(options: CallOptions): Promise<FeedHead | null>

  /**
   * Answers contiguous events after `after`, ascending, at most `limit`, with the floor seen in the same step.
   * Answers none when the epoch is another one.
   */
  read(
    after: Pick<Position, 'epoch' | 'seq'>,
    limit: number,
    options: CallOptions,
  ): Promise<{ readonly events: readonly FeedEvent[]; readonly floor: number }>

  /**
   * Appends all events and moves the head to `next` if the head is exactly `expect` (`null`: if there is no log),
   * in one atomic step; otherwise changes nothing and answers the head that stands.
   */
  append(
    expect: Position | null,
    events: readonly FeedEvent[],
    next: Position,
    options: CallOptions,
  ): Promise<Appended>

  /**
   * Calls `wake` when there may be something new, with the events if it has them. May drop, repeat or reorder.
   * Settles when the channel is gone or the signal aborts.
   */
  watch?(wake: (events?: readonly FeedEvent[]) => void, signal: AbortSignal): Promise<void>

  /** Only for a log in this very process: answers the head at once, so that freshness is a fact and not a lease. */
  peek?(): FeedHead | null

  /** Lets go of what `open` took, never of the caller's own client. Idempotent; later calls of others reject. */
  close(): Promise<void>
}
