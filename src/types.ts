/**
 * The public types that more than one part uses.
 *
 * @module
 */
import type { Duration } from './lib/duration.js'

/** The custom claims of a token when no schema is given. */
export type AnyClaims = Readonly<Record<string, unknown>>

/** What a route demands of a token. Every field that is given must hold. */
export interface Requirement {
  /** Scopes that must all be covered; or all of one list and any of another. Default: none. */
  readonly scopes?: readonly string[] | ScopeRequirement
  /** The audience that the token must be for. Default: any that the authority serves. */
  readonly audience?: string
  /** What the token was bound to when it was issued, such as a certificate thumbprint. Default: nothing. */
  readonly binding?: string
  /** How old this node's last proof of freshness may be. Default: the authority's `maxStaleness`. */
  readonly maxStaleness?: Duration
  /**
   * The receipt's position of a revocation that this node must have applied, wherever it was made. Default: none.
   * `verify` rejects with `stale` when it has not; `authenticate` reads the feed first.
   */
  readonly minPosition?: LogPosition
  /** `store`: ask the store about this very token; only `authenticate` can. Default: the revocation index decides. */
  readonly freshness?: 'store'
}

/** A place in the log of revocations. */
export interface LogPosition {
  /** Which life of the log. */
  readonly epoch: string
  /** Dense from 1; 0 before the first event. */
  readonly seq: number
}

/** Scopes of which all, and scopes of which at least one, must be covered. */
export interface ScopeRequirement {
  readonly allOf?: readonly string[]
  readonly anyOf?: readonly string[]
}

/** An authentic, living, unrevoked token that meets the requirement. Deeply frozen and shared between calls. */
export interface Verified<Claims = AnyClaims> {
  readonly ok: true
  /** The token's ULID, its `jti`. */
  readonly id: string
  readonly subject: string
  readonly audience: string
  /**
   * What the token may do here: its own scopes as far as its policy grants them now. A policy that this authority does
   * not configure sets no bounds.
   */
  readonly scopes: readonly string[]
  readonly policy: string
  /** The id of the first token of its family. */
  readonly family: string
  readonly generation: number
  /** Unix milliseconds. */
  readonly issuedAt: number
  /** Unix milliseconds; the token is dead from this very millisecond on. */
  readonly expiresAt: number
  /** Unix milliseconds; from then on the holder should rotate. */
  readonly rotateAt: number
  /** `k4.lid.…` of the key that sealed it. */
  readonly keyId: string
  readonly claims: Claims
  /** Present when this node could not prove freshness and `onStale: 'accept'` let the token pass all the same. */
  readonly stale?: true
}

/** Why a token is refused. */
export type RejectionCode =
  /** Not text, or not the text of a token. */
  | 'malformed'
  /** Longer than `maxTokenLength`. */
  | 'too_long'
  /** No loaded key has its key id, or the key has expired. */
  | 'unknown_key'
  /** Not authentic: sealed with another key, changed, or for another audience or binding. */
  | 'invalid'
  /** Authentic, but its claims do not parse, or the schema rejects them. */
  | 'claims_invalid'
  /** Past its `expiresAt`. */
  | 'expired'
  /** Before its `notBefore`, or issued in the future. */
  | 'not_yet_valid'
  /** Issued by another issuer. */
  | 'wrong_issuer'
  /** Not for the audience that the requirement names. */
  | 'wrong_audience'
  /** Of a policy version below the policy's `minVersion`. */
  | 'outdated'
  /** Revoked, by any target. */
  | 'revoked'
  /** Rotated, and its grace is over. */
  | 'superseded'
  /** Valid, but without the scopes in `missing`. */
  | 'insufficient_scope'
  /** This node cannot prove that it knows every revocation. */
  | 'stale'
  /** The authority was closed. */
  | 'closed'

/** A refusal: a frozen value, never an `Error`. */
export type Rejected =
  | { readonly ok: false; readonly code: Exclude<RejectionCode, 'insufficient_scope'> }
  | {
      readonly ok: false
      readonly code: 'insufficient_scope'
      /** The demanded scopes that are not covered; of an `anyOf`, all of them. */
      readonly missing: readonly string[]
    }

/** The result of `verify`. */
export type VerifyResult<Claims = AnyClaims> = Verified<Claims> | Rejected

/** What `revoke` is aimed at: exactly one of these. */
export type RevokeTarget =
  | { readonly token: string }
  | { readonly id: string }
  | { readonly family: string }
  | { readonly subject: string }
  | { readonly key: string }
  | { readonly audience: string }
  | { readonly all: true }
