/**
 * The filters and pages of lists, and the limit of an insert.
 *
 * @module
 */

/** A limit of live tokens, counted by subject and policy. */
export interface LiveLimit {
  readonly max: number
  /** A token is live when it expires after this time, is not revoked and has no successor. */
  readonly now: number
}

/** Equality on each field that is given, unless its comment says otherwise. */
export interface TokenFilter {
  readonly subject?: string
  readonly family?: string
  readonly policy?: string
  readonly audience?: string
  readonly keyId?: string
  readonly owner?: string
  readonly issuedBy?: string
  /** `true`: only tokens with a `revokedAt`. `false`: only tokens without. */
  readonly revoked?: boolean
  /** Only tokens whose `expiresAt` is before this time. */
  readonly expiresBefore?: number
  /** Only tokens that were issued before this time, and whose `lastUsedAt` is `null` or before it. */
  readonly unusedBefore?: number
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

/** One page of a list of tokens in the order of their ids. */
export interface TokenListPage extends Page {
  /** `newest`: in descending order of id, with `after` as the upper bound. Default: `oldest`, in ascending order. */
  readonly order?: 'oldest' | 'newest'
}
