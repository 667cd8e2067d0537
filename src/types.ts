/**
 * Public types used by more than one part.
 *
 * @module
 */
import type { Duration } from './lib/duration.js'

/** The custom claims of a token without a schema. */
export type AnyClaims = Readonly<Record<string, unknown>>

/** The requirement of a route. A token must meet every given field. */
export interface Requirement {
  /** The required scopes: a list of which the token must cover all, or `allOf` and `anyOf` lists. Default: none. */
  readonly scopes?: readonly string[] | ScopeRequirement
  /** The required audience. Default: any that the authority serves. */
  readonly audience?: string
  /**
   * The value that the token was bound to when it was issued, such as a certificate thumbprint. Default: no binding.
   */
  readonly binding?: string
  /** The maximum age of this node's last proof of freshness. Default: the authority's `maxStaleness`. */
  readonly maxStaleness?: Duration
  /**
   * The `position` of a revocation's receipt, which this node must have applied. Default: none. If it has not, `verify`
   * rejects with `stale`; `authenticate` reads the feed first.
   */
  readonly minPosition?: LogPosition
  /**
   * `store`: checks the token's record in the store; only for `authenticate`. Default: the revocation index decides.
   */
  readonly freshness?: 'store'
}

/** A position in the revocation log. */
export interface LogPosition {
  /** The epoch of the log. */
  readonly epoch: string
  /** Consecutive from 1; 0 before the first event. */
  readonly seq: number
}

/** Scopes that must all be covered, and scopes of which at least one must be covered. */
export interface ScopeRequirement {
  readonly allOf?: readonly string[]
  readonly anyOf?: readonly string[]
}

/** An authentic, valid token that meets the requirement. Deeply frozen and shared between calls. */
export interface Verified<Claims = AnyClaims> {
  readonly ok: true
  /** The token's ULID, its `jti`. */
  readonly id: string
  readonly subject: string
  readonly audience: string
  /**
   * The effective scopes: the token's own scopes, limited to those that its policy currently grants and that no
   * restriction takes away. A policy that this authority does not configure sets no limit. A wildcard that covers a
   * scope denied by a restriction is omitted, although `verify` still accepts the rest of it.
   */
  readonly scopes: readonly string[]
  readonly policy: string
  /** The id of the first token of its family. */
  readonly family: string
  readonly generation: number
  /** Unix milliseconds. */
  readonly issuedAt: number
  /** Unix milliseconds; the token is invalid from this millisecond on. */
  readonly expiresAt: number
  /** Unix milliseconds; the token should be rotated from then on. */
  readonly rotateAt: number
  /** `k4.lid.…` of the key that sealed the token. */
  readonly keyId: string
  readonly claims: Claims
  /**
   * Aborts when the token is no longer accepted, with the rejection as its `reason`. Present if the guard of the request
   * has `cut: true`.
   */
  readonly signal?: AbortSignal
  /** Present if this node could not prove freshness and `onStale: 'accept'` accepted the token anyway. */
  readonly stale?: true
  /** Present if a restriction with `mode: 'report'` would have refused the request with this code. */
  readonly wouldRefuse?: RejectionCode
}

/** Why a token is rejected. */
export type RejectionCode =
  /** Not a string, or not in the format of a token. */
  | 'malformed'
  /** Longer than `maxTokenLength`. */
  | 'too_long'
  /** No loaded key has its key id, or the key has expired. */
  | 'unknown_key'
  /** Not authentic: sealed with another key, modified, or for another issuer, audience or binding. */
  | 'invalid'
  /** Authentic, but its claims do not parse, or the schema rejects them. */
  | 'claims_invalid'
  /** Past its `expiresAt`. */
  | 'expired'
  /** Before its `notBefore`, or issued in the future. */
  | 'not_yet_valid'
  /** Authentic for this issuer, but its `iss` claim names another. Only other code that has the key can create it. */
  | 'wrong_issuer'
  /** Not for the required audience. */
  | 'wrong_audience'
  /** Of a policy version below the policy's `minVersion`. */
  | 'outdated'
  /** Revoked, by any target. */
  | 'revoked'
  /** Suspended, by any target, until it is restored or the suspension ends. */
  | 'suspended'
  /** Rotated, and its grace is over. */
  | 'superseded'
  /** Valid, but lacks the scopes in `missing`, or a restriction takes them away. */
  | 'insufficient_scope'
  /** This node cannot prove that it knows every revocation. */
  | 'stale'
  /** The authority was closed. */
  | 'closed'

/** A rejection: a frozen value, never an `Error`. */
export type Rejected =
  | { readonly ok: false; readonly code: Exclude<RejectionCode, 'insufficient_scope'> }
  | {
      readonly ok: false
      readonly code: 'insufficient_scope'
      /** The required scopes that are not covered; for an `anyOf`, all of them. */
      readonly missing: readonly string[]
    }

/** The result of `verify`. */
export type VerifyResult<Claims = AnyClaims> = Verified<Claims> | Rejected

/**
 * A signal that ends with a token. Its `reason` is the rejection, such as `{ ok: false, code: 'revoked' }`. Dispose it
 * once the connection is closed, with `using` or by calling its method: it then never aborts and holds nothing.
 */
export interface WatchSignal extends AbortSignal, Disposable {
  readonly reason: Rejected
}

/** The target of `revoke`: exactly one of these. */
export type RevokeTarget =
  | { readonly token: string }
  | { readonly id: string }
  | { readonly family: string }
  | { readonly subject: string }
  | { readonly key: string }
  | { readonly audience: string }
  | { readonly all: true }
