/**
 * Policies: the named rules of a class of tokens, resolved from options.
 *
 * @module
 */

import { has } from '../lib/fields.js'

/** The reaction, in addition to the rejection, when a rotated token is presented to `rotate` after its grace. */
export type ReuseAction =
  /** No reaction. */
  | 'observe'
  /** Publishes `token.reused` on the audit channel. */
  | 'alert'
  /** Revokes the family of the token and publishes `token.reused`. */
  | 'revoke-family'

/** The details of a token that a policy may demand. */
export const DETAILS = ['label', 'owner', 'purpose'] as const

/** One of {@link DETAILS}. */
export type Detail = (typeof DETAILS)[number]

/** A policy with every default filled in, times in milliseconds. */
export interface Policy {
  readonly name: string
  /** The prefix of its tokens with the underscore; `undefined` for plain PASETO. */
  readonly brand: string | undefined
  readonly ttlMs: number
  /** The scopes that it can grant, as patterns of the scope language. */
  readonly scopes: readonly string[]
  /** The share of the lifetime after which a token is due for rotation, or the time after issue. */
  readonly rotateAfter: { readonly share: number } | { readonly ms: number }
  readonly graceMs: number
  /** How often a family may rotate: `burst` times, plus once for each `everyMs` since its first token. */
  readonly rotations: { readonly burst: number; readonly everyMs: number }
  /** The time from a family's first token to the end of the family. */
  readonly maxLifetimeMs: number
  readonly maxActivePerSubject: number | undefined
  /** The details that its tokens must have. */
  readonly require: readonly Detail[]
  /** Whether its tokens are only issued and rotated if the audit is kept. */
  readonly auditRequired: boolean
  /** Recorded in new tokens. */
  readonly version: number
  /** Tokens with a lower version are `outdated`. */
  readonly minVersion: number
  readonly reuse: ReuseAction
  /** When a rotated token stops being valid: after its grace, or as soon as its successor is used. */
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
