/**
 * The store contract: the database operations of the authority, without cryptography.
 *
 * Rules that hold for every method:
 * - The core validates and normalises its arguments; an adapter validates nothing and stores text exactly (binary
 *   collation, no trimming, no case folding, no Unicode normalisation).
 * - Times are absolute Unix milliseconds.
 * - Ids are ULIDs (26 ASCII characters), key ids `k4.lid.…` (51 ASCII characters). Other text may contain any character
 *   except U+0000 and lone surrogates. Maximum lengths in UTF-16 units: audience 256, policy 64, actor 256, subject,
 *   reason and the value of a revocation 1024, scopes 64 of 128, label 128, owner 256, purpose 512.
 * - A request for a row that cannot exist, such as an id with U+0000, returns that it is missing.
 * - State only moves forward: no method undoes a revocation, a supersession or a succession, or moves a time of last
 *   use back.
 * - Reads go to the primary.
 * - A method that changes something takes the rows of the audit as its last argument. A store with the part `audit` writes
 *   them in the same step as the change and only with it; any other store ignores them. See {@link AuditStore}.
 * - A method rejects with the driver's own error when the database fails; the core wraps it. It never returns "missing"
 *   unless it has read the database.
 *
 * @module
 */

import type { AuditRow, AuditStore } from './audit.js'
import type { LiveLimit, Page, TokenFilter, TokenListPage } from './page.js'
import type { KeyRecord, Revocation, TokenDetails, TokenRecord } from './records.js'
import type { RestrictionRecord, RestrictionStore } from './restrictions.js'
import type { UsageStore } from './usage.js'

export type { LiveLimit, Page, TokenFilter, TokenListPage } from './page.js'
export type { KeyRecord, Revocation, RevocationKind, TokenDetails, TokenRecord } from './records.js'

/** The result of a revocation. */
export interface Matched {
  /** The number of covered records that were live at its `at`: not expired, not yet revoked, not superseded by then. */
  readonly matched: number
}

/** Changes in a store since an earlier read. */
export interface Changes {
  /** Revocations that were stored. */
  readonly revocations: readonly Revocation[]
  /** Records whose `supersededAt` or `successor` was set or moved, in their current state. */
  readonly superseded: readonly TokenRecord[]
  /** Registers that were written, in their current state. Present if the store has the part `restrictions`. */
  readonly restrictions?: readonly RestrictionRecord[]
  /** The position to continue from. Opaque text. */
  readonly cursor: string
  /** Whether more changes are available. */
  readonly more: boolean
}

/** The result of a rotation. */
export type Succession =
  /** This call linked the two. */
  | { readonly outcome: 'succeeded' }
  /** An earlier call linked them: returns the current predecessor and the existing successor. */
  | {
      readonly outcome: 'already'
      readonly predecessor: TokenRecord
      readonly successor: TokenRecord
    }
  /**
   * The successor's `label`, `owner`, `purpose` or `hint` are no longer those of the predecessor, whose current record
   * is returned. Nothing was written.
   */
  | { readonly outcome: 'changed'; readonly predecessor: TokenRecord }
  /** The predecessor is revoked, directly or through its family, key, subject or audience. Nothing was written. */
  | { readonly outcome: 'revoked' }
  /** The predecessor does not exist. Nothing was written. */
  | { readonly outcome: 'missing' }

/** One report of use. */
export interface Usage {
  readonly id: string
  readonly at: number
}

/** The highest expiry, inclusive, up to which each kind of row is removed. */
export interface PurgeBefore {
  readonly tokens: number
  readonly keys: number
  readonly revocations: number
}

/** The number of rows that a purge removed. */
export interface Purged {
  readonly tokens: number
  readonly keys: number
  readonly revocations: number
}

/** The optional capabilities of a store, visible to users and to the contract tests. */
export interface StoreSupport {
  /** Whether written data survives the process. */
  readonly durable: boolean
}

/** The adapter between the authority and a database. */
export interface Store {
  /** For messages and health, such as `postgres`. */
  readonly name: string
  readonly supports: StoreSupport

  /** Makes the store ready. Called once before any other method. Idempotent. */
  open(): Promise<void>

  /** Releases what `open` acquired, never the caller's own client. Idempotent; later calls of other methods reject. */
  close(): Promise<void>

  /**
   * Inserts records, all or none.
   *
   * Precondition: new ids, all of one subject and policy if `limit` is given. Atomicity: counting and inserting are one
   * step, so concurrent calls never exceed the limit together. Returns `limit` when the valid tokens would exceed it,
   * with nothing written. A retry with the same ids returns `inserted` again and changes nothing.
   */
  insertTokens(
    records: readonly TokenRecord[],
    limit?: LiveLimit,
    audit?: readonly AuditRow[],
  ): Promise<'inserted' | 'limit'>

  /** Returns the record, or `undefined` if there is none. */
  getToken(id: string): Promise<TokenRecord | undefined>

  /** Returns the page of matching records in the page's order. Concurrent inserts may or may not be included. */
  listTokens(filter: TokenFilter, page: TokenListPage): Promise<readonly TokenRecord[]>

  /** Returns the number of records that `listTokens` returns for the filter on all pages. */
  countTokens(filter: TokenFilter): Promise<number>

  /**
   * Replaces a token's details if its `detailsTag` is still `expected`, and changes no other field. Returns whether it
   * did; `false` for a missing row. Atomicity: compare and set on the row.
   */
  updateDetails(
    id: string,
    expected: string,
    next: TokenDetails,
    audit?: readonly AuditRow[],
  ): Promise<boolean>

  /**
   * Links a predecessor to its one successor and inserts the successor.
   *
   * Effect: sets the predecessor's `successor`, moves its `supersededAt` to the earlier of its current value and the
   * argument (`null`: leaves it), and inserts the successor. Sets the `supersededAt` of the predecessor's own
   * predecessor to no later than the successor's `issuedAt`, since only the immediate predecessor has grace. Atomicity:
   * exactly one caller succeeds.
   *
   * `revoked` takes precedence over `already`: it is returned if at that moment the predecessor is revoked, or a stored
   * revocation names it or its key, or covers the successor (family and key: always; a token with a `family`: by
   * generation; subject, audience and all: if `familyIssuedAt` is not after its `before`). `already` takes precedence
   * over `changed`. Safe to retry: returns `already` with the winner.
   */
  succeed(
    predecessorId: string,
    successor: TokenRecord,
    supersededAt: number | null,
    audit?: readonly AuditRow[],
  ): Promise<Succession>

  /** Moves a token's `supersededAt` to the earlier of its value and `at`. Skips a missing row. Idempotent. */
  supersede(id: string, at: number, audit?: readonly AuditRow[]): Promise<void>

  /**
   * Stores the revocation and marks every record that it covers with its `at`, `actor` and `reason`, unless already
   * marked (coverage: see `succeed`; a token by its id, and its successors if the revocation has a `family`). For
   * `key`, also marks the key record. Returns the number of live records covered; a store that marks a large number in
   * the background returns the number marked so far.
   *
   * Atomicity: storing and marking are one step with respect to `succeed` and `insertTokens`: an inserted batch is
   * marked as a whole, or was inserted afterwards. Idempotent by the revocation's id: a repeated call changes nothing
   * and returns the count of the first.
   */
  revoke(revocation: Revocation, audit?: readonly AuditRow[]): Promise<Matched>

  /**
   * Returns the revocations stored, the token records superseded and the registers of restrictions written since the
   * call that returned the cursor `after`: everything committed before this call, page by page while `more` is true. May
   * return an item again, but never omits one. With `null`, returns a start cursor and no items.
   *
   * Order: the order in which the store committed the changes, never that of ids, times or clocks of nodes. A change
   * prepared before a cursor was returned and committed afterwards comes after that cursor. Items of one call are in no
   * particular order. `limit`: the maximum number of items of all kinds together, at least 1. Purged items are omitted.
   * After a restore from a backup, a cursor of the lost state starts from the beginning.
   */
  changes(after: string | null, limit: number): Promise<Changes>

  /** Returns the page of stored revocations in ascending order of id. */
  listRevocations(page: Page): Promise<readonly Revocation[]>

  /** Inserts a key. Returns `false`, and writes nothing, if its audience already has that generation. */
  insertKey(record: KeyRecord, audit?: readonly AuditRow[]): Promise<boolean>

  /** Returns every key record. */
  listKeys(): Promise<readonly KeyRecord[]>

  /**
   * Replaces a key's wrapping if it is still `expected`. Returns whether it did.
   * Atomicity: compare and set on the row.
   */
  rewrapKey(
    id: string,
    expected: string,
    next: { readonly wrapped: string; readonly wrappedBy: string },
    audit?: readonly AuditRow[],
  ): Promise<boolean>

  /** Moves `lastUsedAt` forward, never back. Skips missing rows. Idempotent. */
  recordUsage(usages: readonly Usage[]): Promise<void>

  /** Removes the rows of each kind whose `expiresAt` is not after the given time. Idempotent. */
  purge(before: PurgeBefore): Promise<Purged>

  /** Returns the store's wall clock in Unix milliseconds. Absent in a store without a clock. */
  now?(): Promise<number>

  /**
   * Returns the id of the server that holds the data, such as `postgres:…`, or `undefined` if unknown. A feed on the
   * same server returns the same id; a copy or a promoted replica returns another one. Needs no special rights.
   */
  identity?(): Promise<string | undefined>

  /** Keeps how tokens are used. Absent in a store that does not. */
  readonly usage?: UsageStore

  /** Keeps restrictions. Absent in a store that does not. */
  readonly restrictions?: RestrictionStore

  /** Keeps the audit. Absent in a store that does not. */
  readonly audit?: AuditStore
}
