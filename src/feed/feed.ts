/**
 * The feed contract: an authoritative, append-only log of sealed events that every node pulls, with an optional push
 * channel that only buys latency.
 *
 * An adapter stores and returns bytes that it cannot read. It never decides what is authentic, fresh or complete: the
 * core does, from positions. It validates nothing, retries nothing, and keeps no timers but those of its client.
 *
 * @module
 */

/** Where a log stands. Comparable only inside one epoch; equal only if all three are. */
export interface Position {
  /** Identifies one epoch: 16 random bytes as base64url, 22 characters. */
  readonly epoch: string
  /** Dense from 1; 0 is a log without events. */
  readonly seq: number
  /** Chains the event to all before it: 16 bytes, zero at `seq` 0. */
  readonly link: Uint8Array
}

/** One event as an adapter sees it: at most {@link MAX_EVENT_BYTES} of bytes that mean nothing to it. */
export interface SealedEvent {
  readonly seq: number
  readonly bytes: Uint8Array
}

/** The newest position, sealed, and how far back the log still reaches. */
export interface SealedHead extends Position {
  /**
   * The lowest `seq` that can still be read, 1 at first; with every event trimmed, one more than `seq`. In the `next`
   * of a call it is the value requested by the core; an adapter returns the actual one.
   */
  readonly floor: number
  /** Unix milliseconds at which some node last sealed this head: by an append or a touch. */
  readonly beaconAt: number
  /** The seal: at most {@link MAX_HEAD_BYTES}. */
  readonly bytes: Uint8Array
}

/** The longest event, in bytes. */
export const MAX_EVENT_BYTES = 40_960
/** The longest seal of a head, in bytes. */
export const MAX_HEAD_BYTES = 512

/** The context of every call. The core enforces the deadline itself; the signal fires when it gives up. */
export interface CallOptions {
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

/** What an acknowledged append survives. */
export type Durability =
  /** Nothing: the log ends with the process. */
  | 'none'
  /** The end of the process, but not of the machine. */
  | 'process'
  /** The end of the machine. */
  | 'fsync'
  /** The loss of some machines: a majority has it. */
  | 'quorum'
  /** The adapter cannot tell. */
  | 'unknown'

/** Whether an append took place; if not, where the log stands instead. */
export type Appended =
  | {
      readonly ok: true
      /** What this append survives, if the adapter can tell. Default: the value in `info`. */
      readonly durability?: Durability
    }
  | { readonly ok: false; readonly head: SealedHead | null }

/** The description of a feed, for the core and for health. */
export interface FeedInfo {
  /** For messages and health. Default: `'custom'`. */
  readonly name?: string
  /** Whether `watch` is there and worth calling. */
  readonly push: boolean
  readonly durability: Durability
  /** How often the head should be asked while nothing is wrong, in milliseconds. */
  readonly suggestedPollMs: number
  /** Where the log is kept, for an operator who has to look there: the keys, the streams or the tables. */
  readonly place?: string
  /**
   * `false` for a log that cannot be split into parts that both take writes, such as one in this process or in one file:
   * a write of the node's own then proves that it has reached the head. Default: `true`.
   */
  readonly splits?: boolean
}

/** Incidents that an adapter reports besides the results of its methods. */
export type FeedIncidentKind =
  /** The caller's connection is silent, and another one is used. */
  | 'connection'
  /** Entries that no node wrote were removed from the log. */
  | 'junk'
  /** The data in place of the log or of an event cannot have been written by a node. */
  | 'damaged'
  /** The file of the log is not the one that was opened. */
  | 'replaced'

/** The optional content of a push. */
export interface WatchHint {
  /** The new events, if the channel carries them: they are checked like any others. */
  readonly events?: readonly SealedEvent[]
}

/** Where a compacted state of the log is kept: a list of sealed chunks that is replaced as a whole. */
export interface FeedSnapshot {
  /** Returns the chunks of the newest complete snapshot, in order; none when there is none. */
  load(signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Replaces the snapshot when the last chunk is written, in one step; a `save` that ends early, or rejects, leaves the
   * one before it. Each chunk is at most {@link MAX_EVENT_BYTES} long.
   */
  save(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>
}

/** The adapter between the authority and a log. */
export interface RevocationFeed {
  readonly info: FeedInfo

  /** Makes the feed ready. Called before any other method, and again after it rejected; a second call changes nothing. */
  open(signal: AbortSignal): Promise<void>

  /** Returns the authoritative head, never a replica's or a cached one; `null` when the log does not exist. */
  head(options: CallOptions): Promise<SealedHead | null>

  /**
   * Returns the events with `seq > after.seq` of the epoch `after.epoch`, ascending, at most `limit` and at least one
   * if there are any, with the floor read in the same step. It never omits an event that it has: the first one has
   * `after.seq + 1`, unless the log was trimmed past it, which the floor shows. Returns none if the log is in another
   * epoch. May return several candidates for one `seq` if others can write to the log: the core picks the authentic
   * one.
   */
  read(
    after: { readonly epoch: string; readonly seq: number },
    limit: number,
    options: CallOptions,
  ): Promise<{ readonly events: readonly SealedEvent[]; readonly floor: number }>

  /**
   * Appends all events and moves the head to `next`, if the head's epoch, seq and link are exactly those of `expect`
   * (`null`: if there is no log), in one atomic step; otherwise changes nothing and returns the current head.
   *
   * With another epoch in `next` than in `expect`, the log restarts: its events start at 1, and those of the old epoch
   * are removed. Without events only the head moves, even backwards. Entries at or above the first event's `seq` that
   * the head does not cover were written by others and are overwritten. Once it returns `ok`, every later `head` and
   * `read` shows it.
   */
  append(
    expect: Position | null,
    events: readonly SealedEvent[],
    next: SealedHead,
    options: CallOptions,
  ): Promise<Appended>

  /**
   * Replaces the seal of the head: same position, newer `beaconAt`. Returns `false`, and changes nothing, if the head
   * is not exactly `expect`. Without it the core cannot distinguish a frozen log from a quiet one.
   */
  touch?(expect: Position, next: SealedHead, options: CallOptions): Promise<boolean>

  /**
   * Calls `wake` when there may be events after `from`, and once immediately, with the events if it has them. Pushes
   * may be dropped, repeated, reordered or wrong. Resolves or rejects when the channel ends, and soon after the signal
   * aborts; the core starts it again.
   */
  watch?(from: Position, wake: (hint?: WatchHint) => void, signal: AbortSignal): Promise<void>

  /** The storage of the snapshot. Without it the log is read from its floor at every start. */
  readonly snapshot?: FeedSnapshot

  /** Drops the events with `seq <= upTo`, at most up to the head, and moves the floor past them; never lowers it. */
  trim?(upTo: number, options: CallOptions): Promise<void>

  /**
   * The id of the server that holds the log; a store on the same server returns the same text, a copy or a promoted
   * replica a different one. Resolves with `undefined` if unknown. Needs no special rights.
   */
  identity?(options: CallOptions): Promise<string | undefined>

  /** Only for a log in this process: returns the head synchronously, so that no lease is needed. */
  peek?(): SealedHead | null

  /**
   * Calls the listener with what the adapter notices, and how many entries that concerns, until the function that it
   * returns is called.
   */
  observe?(listener: (kind: FeedIncidentKind, count: number) => void): () => void

  /**
   * Deletes the log and its snapshot, so that the next node to start begins them anew, with what the store and the
   * running nodes know. For administrators alone: revocations that only the log knows are lost.
   */
  reset?(): Promise<void>

  /**
   * Ends running watches and lets go of what `open` took, never of the caller's own client. Idempotent; later calls of
   * others reject.
   */
  close(): Promise<void>
}

/** Whether two positions are one and the same. */
export function samePosition(a: Position | null, b: Position | null): boolean {
  if (a === null || b === null) return a === b
  return a.epoch === b.epoch && a.seq === b.seq && sameBytes(a.link, b.link)
}

/** Whether two pieces of public bytes are equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
