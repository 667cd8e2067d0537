/**
 * The feed contract: an authoritative, append-only log of sealed events that every node pulls, with an optional push
 * channel that only reduces latency.
 *
 * An adapter stores and returns opaque bytes. The core decides from positions what is authentic, fresh and complete. An
 * adapter does not validate, does not retry, and starts no timers of its own.
 *
 * @module
 */

/** A position in a log. Positions are comparable only within one epoch, and equal only if all three fields are. */
export interface Position {
  /** Identifies one epoch: 16 random bytes as base64url, 22 characters. */
  readonly epoch: string
  /** Consecutive from 1; 0 is a log without events. */
  readonly seq: number
  /** Hash chain over all events up to this one: 16 bytes, zero at `seq` 0. */
  readonly link: Uint8Array
}

/** One event as an adapter sees it: at most 40,960 opaque bytes. */
export interface SealedEvent {
  readonly seq: number
  readonly bytes: Uint8Array
}

/** The newest position, sealed, and the lowest event that the log still has. */
export interface SealedHead extends Position {
  /**
   * The lowest readable `seq`. Starts at 1; one more than `seq` when every event is trimmed. In the `next` of a call it
   * is the value requested by the core; an adapter returns the actual one.
   */
  readonly floor: number
  /** When a node last sealed this head, by an append or a touch, in Unix milliseconds. */
  readonly beaconAt: number
  /** The seal: at most 512 bytes. */
  readonly bytes: Uint8Array
}

/** The longest event, in bytes. */
export const MAX_EVENT_BYTES = 40_960
/** The longest seal of a head, in bytes. */
export const MAX_HEAD_BYTES = 512

/** The context of every call. The core enforces the deadline itself; the signal aborts when the deadline passes. */
export interface CallOptions {
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

/** What an acknowledged append survives. */
export type Durability =
  /** Nothing: the log ends with the process. */
  | 'none'
  /** A crash of the process, but not of the machine. */
  | 'process'
  /** A crash of the machine. */
  | 'fsync'
  /** The loss of a minority of machines. */
  | 'quorum'
  /** The adapter cannot tell. */
  | 'unknown'

/** The adapter does not know. */
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
  /** Whether `watch` is implemented and useful. */
  readonly push: boolean
  readonly durability: Durability
  /** How often to poll the head in normal operation, in milliseconds. */
  readonly suggestedPollMs: number
  /** Where the log is kept, for operators: the keys, streams or tables. */
  readonly place?: string
  /**
   * `false` for a log that cannot split into parts that both accept writes, such as one in this process or in one file.
   * A write by the node then proves that it has reached the head. Default: `true`.
   */
  readonly splits?: boolean
}

/** Incidents that an adapter reports besides the results of its methods. */
export type FeedIncidentKind =
  /** The caller's connection is silent, so another one is used. */
  | 'connection'
  /** Entries that no node wrote were removed from the log. */
  | 'junk'
  /** The stored log or event cannot have been written by a node. */
  | 'damaged'
  /** The log's file is not the one that was opened. */
  | 'replaced'

/** The optional content of a push. */
export interface WatchHint {
  /** The new events, if the channel carries them. The core checks them like any others. */
  readonly events?: readonly SealedEvent[]
}

/** Stores the compacted state of the log: a list of sealed chunks that is replaced as a whole. */
export interface FeedSnapshot {
  /** Yields the chunks of the newest complete snapshot in order, or nothing. */
  load(signal: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Replaces the snapshot atomically after the last chunk. A `save` that ends early or rejects keeps the previous
   * snapshot. Each chunk has at most 40,960 bytes.
   */
  save(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>
}

/** The adapter between the authority and a log. */
export interface RevocationFeed {
  readonly info: FeedInfo

  /** Makes the feed ready. Called before any other method, and again after it rejects. Idempotent. */
  open(signal: AbortSignal): Promise<void>

  /** Returns the authoritative head, never a replica's or a cached one; `null` when the log does not exist. */
  head(options: CallOptions): Promise<SealedHead | null>

  /**
   * Returns the events with `seq > after.seq` of the epoch `after.epoch`, ascending, at most `limit` and at least one
   * if there are any, with the floor read in the same step. Returns none if the log is in another epoch.
   *
   * Never omits an event that the log has: the first one has `after.seq + 1`, unless the log was trimmed past it, which
   * the floor shows. May return several candidates for one `seq` if others can write to the log: the core picks the
   * authentic one.
   */
  read(
    after: { readonly epoch: string; readonly seq: number },
    limit: number,
    options: CallOptions,
  ): Promise<{ readonly events: readonly SealedEvent[]; readonly floor: number }>

  /**
   * Appends all events and moves the head to `next` in one atomic step, if the head's epoch, seq and link are exactly
   * those of `expect` (`null`: if there is no log). Otherwise changes nothing and returns the current head.
   *
   * If `next` has another epoch than `expect`, the log restarts: its events start at 1, and those of the old epoch are
   * removed. Without events only the head moves, even backwards. Entries at or above the first event's `seq` that the
   * head does not cover were written by others and are overwritten. After it returns `ok`, every later `head` and
   * `read` shows the append.
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
   * Calls `wake` once immediately and then whenever there may be events after `from`, with the events if available.
   * Pushes may be dropped, repeated, reordered or wrong. Resolves or rejects when the channel ends, and soon after the
   * signal aborts; the core starts it again.
   */
  watch?(from: Position, wake: (hint?: WatchHint) => void, signal: AbortSignal): Promise<void>

  /** The storage of the snapshot. Without it, a node reads the log from its floor at every start. */
  readonly snapshot?: FeedSnapshot

  /**
   * Drops the events with `seq <= upTo`, at most up to the head, and raises the floor past them. Never lowers the
   * floor.
   */
  trim?(upTo: number, options: CallOptions): Promise<void>

  /**
   * Returns the id of the server that holds the log, or `undefined` if unknown. A store on the same server returns the
   * same id; a copy or a promoted replica returns another one. Needs no special rights.
   */
  identity?(options: CallOptions): Promise<string | undefined>

  /** Only for a log in this process: returns the head synchronously, which makes a lease unnecessary. */
  peek?(): SealedHead | null

  /**
   * Calls the listener with each incident and the number of entries concerned. Returns a function that removes the
   * listener.
   */
  observe?(listener: (kind: FeedIncidentKind, count: number) => void): () => void

  /**
   * Deletes the log and its snapshot. The next node to start creates a new log from the store and the running nodes.
   * Only for administrators: revocations that only the log has are lost.
   */
  reset?(): Promise<void>

  /**
   * Ends running watches and releases what `open` acquired, never the caller's own client. Idempotent; later calls of
   * other methods reject.
   */
  close(): Promise<void>
}

/** Whether two positions are the same. */
export function samePosition(a: Position | null, b: Position | null): boolean {
  if (a === null || b === null) return a === b
  return a.epoch === b.epoch && a.seq === b.seq && sameBytes(a.link, b.link)
}

/** Whether two byte arrays are equal. Not for secrets: it is not constant-time. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
