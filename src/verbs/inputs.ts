/**
 * What the verbs take and return.
 *
 * @module
 */
import type { Duration } from '../lib/duration.js'
import type { RevocationKind, TokenRecord } from '../store/store.js'
import type { LogPosition } from '../types.js'

/** What to issue. */
export interface IssueInput<
  ClaimsInput = Readonly<Record<string, unknown>>,
  Policy extends string = string,
  Audience extends string = string,
  Scope extends string = string,
> {
  /** The name of a policy. */
  readonly policy: Policy
  /** Whom the token stands for: 1 to 1024 characters, compared exactly. */
  readonly subject: string
  /** Who asks for it, for the record: 1 to 256 characters. */
  readonly actor: string
  /** What the token may do; each must be covered by the policy's. Default: none, which is no rights. */
  readonly scopes?: readonly Scope[]
  /** Whom the token is for. Default: the authority's audience, if it has just one. */
  readonly audience?: Audience
  /** A shorter life than the policy's. Default: the policy's `ttl`. */
  readonly ttl?: Duration
  /** How long the token and all its successors may live together, at most the policy's. Default: the policy's `maxLifetime`. */
  readonly maxLifetime?: Duration
  /** Whether the token may be rotated: `rotate` refuses it otherwise with `ERR_NOT_ROTATABLE`. Default: `true`. */
  readonly rotatable?: boolean
  /** Not valid before this Unix time in milliseconds. Default: valid at once. */
  readonly notBefore?: number
  /** What the token is bound to; whoever verifies must name the same. Default: nothing. */
  readonly binding?: string
  /** The custom claims. Required when the schema requires any. */
  readonly claims?: ClaimsInput
}

/** How to rotate. */
export interface RotateOptions {
  /** Who asks for it, for the record: 1 to 256 characters. */
  readonly actor: string
  /** Fewer or narrower scopes for the successor. Default: those of the token. */
  readonly scopes?: readonly string[]
  /** A shorter life than the policy's. Default: the policy's `ttl`. */
  readonly ttl?: Duration
  /** What the token is bound to; the successor is bound to the same. Default: nothing. */
  readonly binding?: string
}

/** Why, and at whose word. */
export interface RevokeOptions {
  /** Who revokes, for the record: 1 to 256 characters. */
  readonly actor: string
  /** For the record: 1 to 1024 characters. Default: none. */
  readonly reason?: string
  /** What the token was bound to, when the target is a bound token. Default: nothing. */
  readonly binding?: string
  /**
   * `all`: resolve when every live node has said that it has applied the revocation, or when `timeout` is over; the
   * receipt tells who has. Default: `local`, when the feed has it and this node refuses.
   */
  readonly waitFor?: 'local' | 'all'
  /** How long to wait for the other nodes, at most an hour. Default: `maxStaleness` and a second. */
  readonly timeout?: Duration
  /**
   * `false`: revokes the named token alone, and leaves the tokens that were made from it by rotation. Only with `{ id }`
   * or `{ token }`. Default: `true`.
   */
  readonly successors?: boolean
}

/** The receipt of a revocation. */
export interface RevokeReceipt {
  /** The ULID under which the store keeps the revocation. */
  readonly id: string
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /** Unix milliseconds. */
  readonly at: number
  /** How many valid tokens of the store it covered; 0 when nothing is known under that name. */
  readonly matched: number
  /** Where the feed has it: a node at or past this position refuses. */
  readonly position: LogPosition
  /**
   * With `waitFor: 'all'`, the nodes by name: those that have applied it, this one among them, and those that had not
   * said so by the end of the wait. A node that cannot be reached for longer than `maxStaleness` refuses every token.
   */
  readonly nodes?: { readonly applied: readonly string[]; readonly pending: readonly string[] }
}

/** The stored metadata of a token; never the token. */
export type TokenInfo = TokenRecord

/** Which tokens to list. Every field that is given must match. */
export interface TokenQuery {
  readonly subject?: string
  readonly family?: string
  readonly policy?: string
  readonly audience?: string
  readonly keyId?: string
  /** Only tokens that are neither expired nor revoked nor superseded. Default: all that were not purged. */
  readonly live?: boolean
  /** How many to answer, 1 to 1000. Default: 100. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: string
}

/** A page of token records, oldest first. */
export interface TokenPage {
  readonly items: readonly TokenInfo[]
  /** Pass as `after` for the next page; absent on the last one. */
  readonly next?: string
  /** The ids of records that do not parse, or were edited in the database, and were left out; absent when there are none. */
  readonly corrupt?: readonly string[]
}
