/**
 * The options of a policy: their types, defaults and checks.
 *
 * @module
 */
import type * as z from 'zod/mini'
import { type Duration, MINUTE, parseShare, YEAR } from '../lib/duration.js'
import { bare } from '../lib/fields.js'
import { invalidOption } from '../lib/invalid.js'
import { durationText } from '../lib/quote.js'
import type { Policy, ReuseAction } from '../policy/policy.js'
import { normaliseScopes } from '../policy/scopes.js'
import type { policySchema } from './schema.js'

/** The rules of one class of tokens. */
export interface PolicyOptions {
  /** The lifetime of a token. Required: every token expires. At most ten years. */
  readonly ttl: Duration
  /** The scopes that its tokens may have, in the scope language: `orders:read`, `orders:*`. */
  readonly scopes: readonly string[]
  /** When a token is due for rotation: a share of its lifetime, or a time after issue. Default: `'70%'`. */
  readonly rotateAfter?: Duration
  /** How long a rotated token remains valid, at most an hour. Default: `'60s'`. */
  readonly grace?: Duration
  /**
   * How often a family may rotate: `burst` times, plus once for each `every` since its first token. `every` is a share
   * of `ttl` or a duration. Beyond that, `rotate` rejects with `ERR_ROTATION_LIMIT`. Default: `{ burst: 10, every:
   * '1%' }`.
   */
  readonly rotations?: RotationsOptions
  /** How long rotation can extend a family. Default: ten times `ttl`, at most ten years. */
  readonly maxLifetime?: Duration
  /** The maximum number of live tokens of this policy per subject. Default: no limit. */
  readonly maxActivePerSubject?: number
  /**
   * The details that `issue` must be called with, and that `tokens.update` must not remove: `label`, `owner`, `purpose`.
   * Tokens issued before are not affected, and can be rotated. Default: none.
   */
  readonly require?: readonly ('label' | 'owner' | 'purpose')[]
  /** The version recorded in each token, from 1. Default: 1. */
  readonly version?: number
  /** Tokens of a lower version are rejected as `outdated`. Default: 1. */
  readonly minVersion?: number
  /** The reaction to a rotated token that is presented to `rotate` after its grace. Default: `'revoke-family'`. */
  readonly reuse?: ReuseAction
  /**
   * When a rotated token stops being valid: after its grace, or as soon as its successor is used. Default: `'grace'`.
   */
  readonly retireOn?: 'grace' | 'first-use'
  /**
   * `required`: tokens are only issued and rotated if the audit is kept; otherwise `issue` and `rotate` reject with
   * `ERR_AUDIT_NOT_KEPT`. A row of the audit is always written in the same step as the token, so that there is no token
   * without its row. Default: not required.
   */
  readonly audit?: { readonly required: boolean }
  /** Prefix of this policy's tokens, such as `acme_test`. Default: the authority's `prefix`. */
  readonly prefix?: string
}

/** How often a family may rotate. */
export interface RotationsOptions {
  /** The number of rotations at once, from 1 to 1,000,000. Default: 10. */
  readonly burst?: number
  /**
   * The time that adds one rotation: a share of `ttl` such as `'1%'`, or a duration of at least a millisecond. Default:
   * `'1%'`.
   */
  readonly every?: Duration
}

/** All defaults. */
const DEFAULTS = {
  rotateAfter: '70%',
  graceMs: MINUTE,
  rotations: { burst: 10, every: '1%' },
  lifetimes: 10,
  maxLifetimeMs: 10 * YEAR,
} as const

/** Checks a policy and fills in its defaults. Throws `ERR_INVALID_OPTION`. */
export function resolvePolicy(
  policyName: string,
  given: z.output<typeof policySchema>,
  authorityPrefix: string | undefined,
): Policy {
  const field = `policies.${policyName}`
  const ttlMs = given.ttl
  const maxLifetimeMs =
    given.maxLifetime ?? Math.min(ttlMs * DEFAULTS.lifetimes, DEFAULTS.maxLifetimeMs)
  if (maxLifetimeMs < ttlMs) {
    throw invalidOption(
      `${field}.maxLifetime`,
      `expected at least ttl, which is ${durationText(ttlMs)}, got ${durationText(maxLifetimeMs)}`,
    )
  }
  const version = given.version ?? 1
  const minVersion = given.minVersion ?? 1
  if (minVersion > version)
    throw invalidOption(
      `${field}.minVersion`,
      'expected at most version, or new tokens would be rejected',
    )
  const prefix = given.prefix ?? authorityPrefix
  return {
    name: policyName,
    brand: prefix === undefined ? undefined : `${prefix}_`,
    ttlMs,
    scopes: Object.freeze(normaliseScopes(given.scopes)),
    rotateAfter: given.rotateAfter ?? { share: parseShare(DEFAULTS.rotateAfter) as number },
    graceMs: given.grace ?? DEFAULTS.graceMs,
    rotations: resolveRotations(given),
    maxLifetimeMs,
    maxActivePerSubject: given.maxActivePerSubject,
    require: Object.freeze([...(given.require ?? [])]),
    auditRequired: given.audit?.required ?? false,
    version,
    minVersion,
    reuse: given.reuse ?? 'revoke-family',
    retireOn: given.retireOn ?? 'grace',
  }
}

function resolveRotations({
  ttl,
  rotations = bare({}),
}: z.output<typeof policySchema>): Policy['rotations'] {
  const { share, ms } = rotations.every ?? { share: parseShare(DEFAULTS.rotations.every) }
  return {
    burst: rotations.burst ?? DEFAULTS.rotations.burst,
    everyMs: ms ?? Math.max(1, Math.ceil(ttl * (share as number))),
  }
}
