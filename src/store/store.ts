/**
 * The store contract: what the authority needs of a database, and nothing of cryptography.
 *
 * Rules that hold for every method:
 * - The core validates and normalises what it passes in; an adapter validates nothing and stores text exactly
 *   (binary collation, no trimming, no case folding, no Unicode normalisation).
 * - Times are absolute Unix milliseconds.
 * - Ids are ULIDs (26 ASCII characters), key ids `k4.lid.…` (51 ASCII characters). Other text may hold any character
 *   but U+0000 and lone surrogates, in UTF-16 units: audience 256, policy 64, actor 256, subject, reason and the value
 *   of a revocation 1024, scopes 64 of 128.
 * - A request for something that cannot exist, such as an id with U+0000, returns that it is missing.
 * - State only moves forward: nothing un-revokes, un-supersedes, un-succeeds, or moves a time of last use back.
 * - Reads that decide go to the primary.
 * - A method rejects with the driver's own error when the database fails; the core wraps it. It never returns "missing"
 * when the database was not read.
 *
 * @module
 */

/** The stored metadata of one token: never the token itself, nor data from which a token can be made. */
export interface TokenRecord {
  /** ULID, the token's `jti`. Primary key. */
  readonly id: string
  /** The id of the family's first token. */
  readonly family: string
  /** 0 for the family's first token, then one more for each rotation. */
  readonly generation: number
  /** The id of the token that this one was rotated from. */
  readonly predecessor: string | null
  /** The id of the token that this one was rotated to. Set once. */
  readonly successor: string | null
  readonly subject: string
  readonly audience: string
  readonly policy: string
  readonly policyVersion: number
  readonly scopes: readonly string[]
  /** `k4.lid.…` of the key that sealed the token first. */
  readonly keyId: string
  readonly issuedAt: number
  readonly notBefore: number | null
  readonly expiresAt: number
  /** When the family's first token was issued. */
  readonly familyIssuedAt: number
  /** The hard end of the family. */
  readonly familyExpiresAt: number
  /** Who asked for the token. */
  readonly issuedBy: string
  /**
   * The lifetime of the family's first token, in milliseconds: no successor lives longer, unless an
   * administrator rotates it by id.
   */
  readonly ttl: number
  /** Whether the token may be rotated. */
  readonly rotatable: boolean
  /**
   * A message authentication code over every field that never changes, made by the authority. Stores keep it as it is.
   * Empty in a row that was written before tags existed.
   */
  readonly tag: string
  /** When the token is rejected because it was rotated. Only ever moves earlier. */
  readonly supersededAt: number | null
  /** When it was revoked. Set once, terminal. */
  readonly revokedAt: number | null
  readonly revokedBy: string | null
  readonly revokedReason: string | null
  /** The last use that was reported. Only ever moves forward. */
  readonly lastUsedAt: number | null
}

/** The target of a revocation. */
export type RevocationKind =
  /** One token, and its successors unless `successors: false` excludes them. */
  | 'token'
  /** Every token of a family. Permanent. */
  | 'family'
  /** Every token of a subject that was issued up to then. */
  | 'subject'
  /** Every token that a key sealed. Permanent. */
  | 'key'
  /** Every token for an audience that was issued up to then. */
  | 'audience'
  /** Every token of the authority that was issued up to then. */
  | 'all'

/** One revocation, kept for as long as a token that it covers could be valid. */
export interface Revocation {
  /** ULID. Primary key. */
  readonly id: string
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /**
   * The time of issue up to which tokens are revoked; a family counts from its first token. For a token: 0 if its
   * record was not available, so that `expiresAt` is only an upper bound of its expiry.
   */
  readonly before: number
  readonly at: number
  readonly actor: string
  readonly reason: string | null
  /** When the last token that it covers has expired. */
  readonly expiresAt: number
  /**
   * Of a token: its family, when the revocation also covers the token's successors, which are the records of the family
   * whose generation is at least `generation`. Otherwise `null`.
   */
  readonly family: string | null
  /** The lowest generation of the successors; `null` when `family` is. */
  readonly generation: number | null
  /** A message authentication code over every other field, made by the authority. Stores keep it as it is. */
  readonly tag: string
}

/** A wrapped v4.local key and its times. The state is a pure function of the clock. */
export interface KeyRecord {
  /** `k4.lid.…`. Primary key. */
  readonly id: string
  readonly audience: string
  /** Counts from 1; unique with `audience`. */
  readonly generation: number
  /** The key, wrapped by the root key. */
  readonly wrapped: string
  /** The id of the root key that wrapped it. */
  readonly wrappedBy: string
  readonly createdAt: number
  /** From when on it may seal tokens. */
  readonly activatesAt: number
  /** From when on it seals no more. */
  readonly retiresAt: number
  /** From when on it opens no more. */
  readonly expiresAt: number
  /** When it was revoked. Set once, terminal. */
  readonly revokedAt: number | null
  /** A message authentication code over the id, the audience, the generation and the times. Stores keep it as it is. */
  readonly tag: string
}

/** A ceiling on live tokens, counted by subject and policy. */
export interface LiveLimit {
  readonly max: number
  /** A token is live when it expires after this time, is not revoked and has no successor. */
  readonly now: number
}

/** Equality on each field that is given. */
export interface TokenFilter {
  readonly subject?: string
  readonly family?: string
  readonly policy?: string
  readonly audience?: string
  readonly keyId?: string
  /** Only tokens that are live at this time: not expired, not revoked, not superseded by then. */
  readonly liveAt?: number
  /** Only tokens with any `supersededAt` that expire after this time. */
  readonly supersededAliveAt?: number
}

/** One page of a list in ascending order of id. */
export interface Page {
  /** Only ids greater than this one. */
  readonly after?: string
  /** The maximum number of items to return, at least 1. */
  readonly limit: number
}

/** The result of a revocation. */
export interface Matched {
  /** How many records it covers that were live at its `at`: not expired, not revoked before, not superseded by then. */
  readonly matched: number
}

/** Changes in a store since an earlier read. */
export interface Changes {
  /** Revocations that were kept. */
  readonly revocations: readonly Revocation[]
  /** Records whose `supersededAt` or `successor` was set or moved, as they stand. */
  readonly superseded: readonly TokenRecord[]
  /** Where to go on. Opaque text. */
  readonly cursor: string
  /** Whether there is more than was returned. */
  readonly more: boolean
}

/** The result of a rotation. */
export type Succession =
  /** This call linked the two. */
  | { readonly outcome: 'succeeded' }
  /** An earlier call did: here is the predecessor as it stands and the successor that won. */
  | {
      readonly outcome: 'already'
      readonly predecessor: TokenRecord
      readonly successor: TokenRecord
    }
  /** The predecessor, its family, or something above it was revoked. Nothing was written. */
  | { readonly outcome: 'revoked' }
  /** No such predecessor. Nothing was written. */
  | { readonly outcome: 'missing' }

/** One report of use. */
export interface Usage {
  readonly id: string
  readonly at: number
}

/** Up to which expiry, inclusive, each kind of row is removed. */
export interface PurgeBefore {
  readonly tokens: number
  readonly keys: number
  readonly revocations: number
}

/** How many rows a purge removed. */
export interface Purged {
  readonly tokens: number
  readonly keys: number
  readonly revocations: number
}

/** The optional capabilities of a store, visible to users and to the contract tests. */
export interface StoreSupport {
  /** Whether what was written survives the process. */
  readonly durable: boolean
}

/** The adapter between the authority and a database. */
export interface Store {
  /** For messages and health, such as `postgres`. */
  readonly name: string
  readonly supports: StoreSupport

  /** Makes the store ready. Called once before any other method; a second call changes nothing. */
  open(): Promise<void>

  /** Lets go of what `open` took, never of the caller's own client. Idempotent; every other call rejects from then on. */
  close(): Promise<void>

  /**
   * Inserts records, all or none.
   *
   * Precondition: fresh ids, all of one subject and policy when `limit` is given.
   * Atomicity: counting and inserting are one step, so concurrent calls never exceed the limit together.
   * Returns `limit` when the valid tokens would exceed it, with nothing written. A retry with the same ids returns
   * `inserted` again and changes nothing.
   */
  insertTokens(records: readonly TokenRecord[], limit?: LiveLimit): Promise<'inserted' | 'limit'>

  /** Returns the record, or `undefined` if there is none. */
  getToken(id: string): Promise<TokenRecord | undefined>

  /** Returns the page of matching records in ascending order of id. Concurrent inserts may or may not be included. */
  listTokens(filter: TokenFilter, page: Page): Promise<readonly TokenRecord[]>

  /**
   * Links a predecessor to its one successor and inserts the successor.
   *
   * Effect: sets the predecessor's `successor`, moves its `supersededAt` to the earlier of what it is and
   * `supersededAt` (`null`: leaves it), inserts the successor. Sets the `supersededAt` of the predecessor's own
   * predecessor to no later than the successor's `issuedAt`, since only the immediate predecessor has grace.
   * Atomicity: one winner among all callers. `revoked` takes precedence over `already`: it is returned if at that
   * moment the predecessor is revoked, or a kept revocation names it or its key, or covers the successor (family and
   * key: always; a token with a `family`: by generation; subject, audience and all: when `familyIssuedAt` is not after
   * its `before`).
   * Safe to retry: returns `already` with the winner.
   */
  succeed(
    predecessorId: string,
    successor: TokenRecord,
    supersededAt: number | null,
  ): Promise<Succession>

  /** Moves a token's `supersededAt` to the earlier of what it is and `at`. A missing row changes nothing. Idempotent. */
  supersede(id: string, at: number): Promise<void>

  /**
   * Keeps the revocation and marks every record that it covers (see `succeed`; a token by its id, and its successors
   * when the revocation has a `family`) with its `at`, `actor` and `reason`, unless marked already. For `key`, marks
   * the key record as well. Returns how many live records it covers; a store that marks a large number in the
   * background returns how many it has marked so far.
   * Atomicity: kept and marked together, against `succeed` and `insertTokens`: a batch is marked as a whole, or was
   * inserted after it. Idempotent by the revocation's id: a second one of the same id changes nothing at all, and
   * returns the count of the first.
   */
  revoke(revocation: Revocation): Promise<Matched>

  /**
   * Returns what was kept (revocations) or superseded (token records) after the call that returned the cursor `after`:
   * everything that was committed by the time of this call, page by page while `more` is true. It may return the same
   * item again, and never leaves one out. With `null` it returns a cursor to start from, and no items.
   *
   * Order: the order in which the store committed the changes, never that of ids, times or clocks of nodes. A change
   * prepared early and committed late comes after the cursor that was returned in between. Items of one call are in no
   * particular order.
   * `limit`: the maximum number of items, revocations and records together, at least 1. Purged items are omitted. A
   * cursor of a state that the store no longer has, because it was restored from a backup, starts from the beginning.
   */
  changes(after: string | null, limit: number): Promise<Changes>

  /** Returns the page of kept revocations in ascending order of id. */
  listRevocations(page: Page): Promise<readonly Revocation[]>

  /** Inserts a key. Returns `false`, with nothing written, when its audience already has that generation. */
  insertKey(record: KeyRecord): Promise<boolean>

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
  ): Promise<boolean>

  /** Moves `lastUsedAt` forward, never back. Missing rows are passed over. Idempotent. */
  recordUsage(usages: readonly Usage[]): Promise<void>

  /** Removes each kind of row whose `expiresAt` is not after what is given for it. Idempotent. */
  purge(before: PurgeBefore): Promise<Purged>

  /** Returns the store's wall clock in Unix milliseconds. Absent in a store without a clock. */
  now?(): Promise<number>

  /**
   * The id of the server that holds the data, such as `postgres:…`. A feed on the same server returns the same text, a
   * copy or a promoted replica a different one. Resolves with `undefined` if unknown. Needs no special rights.
   */
  identity?(): Promise<string | undefined>
}
