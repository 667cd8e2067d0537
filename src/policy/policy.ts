/**
 * Policies: the named rules of a class of tokens, resolved from options.
 *
 * @module
 */

import { has } from '../lib/fields.js'

/** What happens, besides the rejection, when a rotated token is presented to `rotate` after its grace. */
export type ReuseAction =
  /** Nothing further. */
  | 'observe'
  /** Publishes `token.reused` on the audit channel. */
  | 'alert'
  /** Revokes the family of the token, and publishes `token.reused`. */
  | 'revoke-family'

/** A policy with every default filled in, times in milliseconds. */
export interface Policy {
  readonly name: string
  /** What its tokens begin with, with the underscore; `undefined`: plain PASETO. */
  readonly brand: string | undefined
  readonly ttlMs: number
  /** The scopes that it can grant, as patterns of the scope language. */
  readonly scopes: readonly string[]
  /** The share of its life after which a token is due for rotation, or the time after issue. */
  readonly rotateAfter: { readonly share: number } | { readonly ms: number }
  readonly graceMs: number
  /** How often a family may rotate: `burst` times, and once more for each `everyMs` of its age. */
  readonly rotations: { readonly burst: number; readonly everyMs: number }
  /** From a family's first token to its hard end. */
  readonly maxLifetimeMs: number
  readonly maxActivePerSubject: number | undefined
  /** Stamped on new tokens. */
  readonly version: number
  /** Tokens with a lower version are `outdated`. */
  readonly minVersion: number
  readonly reuse: ReuseAction
  /** When a rotated token stops working: after its grace, or as soon as its successor is used. */
  readonly retireOn: 'grace' | 'first-use'
}

/** When a token of this policy is due for rotation. */
export function rotateAtOf(
  policy: Policy | undefined,
  issuedAt: number,
  expiresAt: number,
): number {
  if (policy === undefined) return expiresAt
  const after = policy.rotateAfter
  const at =
    issuedAt + (has(after, 'ms') ? after.ms : Math.round((expiresAt - issuedAt) * after.share))
  return Math.min(at, expiresAt)
}
