/**
 * The optional part of a store that keeps the audit: rows, written in the same step as the change that they describe,
 * and the order in which they were appended to a Merkle tree (RFC 6962).
 *
 * A row is first *pending*: stored, but without a place in the tree. Any node then appends pending rows with
 * {@link AuditStore.append}, which compares the size of the tree, so two nodes never use the same index.
 *
 * A store with this part writes the `audit` rows that other methods of {@link Store} are called with: in the same atomic
 * step as the change, and only if the call changes something. A call that is repeated and changes nothing writes
 * nothing. A row whose id is stored already is skipped.
 *
 * Maximum lengths in UTF-16 units: action 64, actor 256, subject 1024, ids 64, body 16,384, tag and place 512, state
 * 4096. Hashes are 64 lower-case hexadecimal digits.
 *
 * @module
 */

/** One row of the audit. Every field except `body` and `tag` is a copy of content of the body, for filters. */
export interface AuditRow {
  /** ULID. Primary key. */
  readonly id: string
  /** When it happened. */
  readonly at: number
  readonly action: string
  readonly actor: string
  /** The subject that it concerns, if it concerns one. */
  readonly subject: string | null
  /** The id of the token that it concerns, if it concerns one. */
  readonly token: string | null
  /** The family that it concerns, if it concerns one. */
  readonly family: string | null
  /** The event as canonical JSON. Contains no token, no key and no custom claim. */
  readonly body: string
  /** A message authentication code over `id` and `body`, computed by the authority. Stores keep it unchanged. */
  readonly tag: string
}

/** The place of a row in the tree, as passed to {@link AuditStore.append}. */
export interface AuditLeaf {
  /** The id of a pending row. */
  readonly id: string
  /** The SHA-256 of its body. Stores keep it unchanged. */
  readonly hash: string
  /** The index, time and hash, sealed by the authority. Stores keep it unchanged. */
  readonly place: string
}

/** A stored row and its place in the tree. */
export interface AuditEntry {
  readonly id: string
  readonly at: number
  /** The index in the tree, from 0; `null` while the row is pending, as `hash` and `place` are. */
  readonly index: number | null
  readonly hash: string | null
  readonly place: string | null
  /** The row; `null` once it was purged. */
  readonly row: AuditRow | null
}

/** The head of the tree. */
export interface AuditHead {
  /** The number of leaves. */
  readonly size: number
  /** What the last {@link AuditStore.append} was called with; empty before the first. */
  readonly state: string
}

/** Equality on each field that is given, unless its comment says otherwise. */
export interface AuditFilter {
  /** The change, such as `'token.issued'`. */
  readonly action?: string
  readonly actor?: string
  readonly subject?: string
  /** The id of a token. */
  readonly token?: string
  readonly family?: string
  /** Only rows whose `at` is not before this time, in Unix milliseconds. */
  readonly since?: number
  /** Only rows whose `at` is before this time, in Unix milliseconds. */
  readonly until?: number
}

/** One page of a list in the order of ids. */
export interface AuditListPage {
  /** Only ids after this one, in the page's order. */
  readonly after?: string
  /** The maximum number of entries to return, at least 1. */
  readonly limit: number
  /** `newest`: in descending order of id. Default: `oldest`, in ascending order. */
  readonly order?: 'oldest' | 'newest'
}

/** The part of a store that keeps the audit. */
export interface AuditStore {
  /** Inserts pending rows, all or none. Skips rows whose id is stored. At most 1,000. */
  write(rows: readonly AuditRow[]): Promise<void>

  /** Returns the page of pending rows in ascending order of id. */
  listPending(page: {
    readonly after?: string
    readonly limit: number
  }): Promise<readonly AuditRow[]>

  /**
   * Returns the head of the tree. If it was removed or set back, returns the size that the last row of the tree shows,
   * and an empty state.
   */
  head(): Promise<AuditHead>

  /**
   * Appends pending rows to the tree if its size is still `size`: gives them the indices from `size` on, in the order of
   * the list, and sets the state. Returns whether it did. Returns `false`, and writes nothing, also if one of the rows
   * is missing or has an index. 1 to 1,000 leaves. Atomicity: compare and append.
   */
  append(size: number, leaves: readonly AuditLeaf[], state: string): Promise<boolean>

  /** Returns up to `limit` entries of the tree in ascending order of index, from this index on, purged ones included. */
  read(from: number, limit: number): Promise<readonly AuditEntry[]>

  /** Returns the id and the index of each of these rows that is stored, purged ones included, in any order. At most 1,000. */
  locate(ids: readonly string[]): Promise<readonly Pick<AuditEntry, 'id' | 'index'>[]>

  /** Returns the page of matching entries in the page's order of ids: pending ones included, purged ones not. */
  list(filter: AuditFilter, page: AuditListPage): Promise<readonly AuditEntry[]>

  /**
   * Removes the content of every entry of the tree whose `at` is not after this time: all fields but `id`, `at`, `index`,
   * `hash` and `place`. Returns the number of purged entries. Pending rows stay. Idempotent.
   */
  purge(until: number): Promise<number>
}
