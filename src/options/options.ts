/**
 * The options of an authority: their types, defaults and checks.
 *
 * @module
 */

import type { StandardSchemaV1 } from '@standard-schema/spec'
import type * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import type { RevocationFeed } from '../feed/feed.js'
import { type KeyWrapper, type RootKey, resolveRootKey } from '../keys/root-key.js'
import type { Clock } from '../lib/clock.js'
import { DAY, type Duration, MINUTE, parseShare, SECOND, YEAR } from '../lib/duration.js'
import { bare } from '../lib/fields.js'
import { invalidOption } from '../lib/invalid.js'
import { issueText } from '../lib/issue-text.js'
import { durationText } from '../lib/quote.js'
import type { Policy, ReuseAction } from '../policy/policy.js'
import { normaliseScopes } from '../policy/scopes.js'
import { defaultNodeName } from '../revocation/follower/local-life.js'
import type { Store } from '../store/store.js'
import { type cacheSchema, type keysSchema, optionsSchema, type policySchema } from './schema.js'

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
  /** Prefix of this policy's tokens, such as `acme_test`. Default: the authority's `prefix`. */
  readonly prefix?: string
}

/** How often a family may rotate. */
export interface RotationsOptions {
  /** From 1 to 1,000,000. Default: 10. */
  readonly burst?: number
  /** A share of `ttl` such as `'1%'`, or a duration of at least a millisecond. Default: `'1%'`. */
  readonly every?: Duration
}

/** The lifecycle of an authority's keys. */
export interface KeyOptions {
  /** How long one key seals tokens, at least an hour. Default: `'30d'`. */
  readonly rotateEvery?: Duration
  /**
   * How long a new key is published before it seals tokens; must exceed every node's `refreshEvery`. Default: `'5m'`.
   */
  readonly publishAhead?: Duration
  /** How often a node reads the store for new keys. Default: `'1m'`. */
  readonly refreshEvery?: Duration
}

/** Bounds of the cache of verified tokens. */
export interface CacheOptions {
  /** The maximum number of tokens. Default: 50,000. */
  readonly max?: number
  /** The maximum estimated size in bytes. Default: 64 MiB. */
  readonly maxBytes?: number
}

/** The options of {@link createWatchword}. */
export interface WatchwordOptions<Schema extends StandardSchemaV1 | undefined = undefined> {
  /** The issuer: a URL or a name, authenticated with every token. */
  readonly issuer: string
  /** The audience of the tokens: one, or several with separate keys. */
  readonly audience: string | readonly string[]
  /**
   * Wraps the keys at rest: the text of a `k4.local.…` key, or a wrapper around a KMS or a vault. Default: a new key
   * with a store that is not durable; required with a durable store.
   */
  readonly rootKey?: string | KeyWrapper
  /**
   * Other root keys that may have wrapped a stored key: the one being replaced and, during a rollout, the next one, so
   * every node can unwrap every key. No longer needed after `keys.rewrap()`. Default: none.
   */
  readonly previousRootKeys?: readonly (string | KeyWrapper)[]
  /** Stores token records and keys. Default: `memoryStore()`, with a warning in production. */
  readonly store?: Store
  /** Distributes revocations to nodes. Default: `memoryFeed()`, with a warning in production. */
  readonly feed?: RevocationFeed
  /**
   * The rules of each class of tokens, by name. The scopes of a policy also limit tokens that were already issued. A
   * token whose policy is not configured keeps its scopes until it expires, and cannot be rotated. To withdraw a scope,
   * narrow the policy or raise its `minVersion`; do not remove the policy.
   */
  readonly policies: Readonly<Record<string, PolicyOptions>>
  /** The schema of custom claims: any synchronous Standard Schema. Default: any JSON value. */
  readonly claims?: Schema
  /**
   * Prefix of new tokens, which lets scanners recognise them: `acme_live`. Tokens with any prefix are accepted if their
   * key is known, so it can be changed or removed at any time. Default: plain PASETO.
   */
  readonly prefix?: string
  /** The cache of verified tokens, or `false` for none. Default: 50,000 tokens in 64 MiB. */
  readonly cache?: CacheOptions | false
  /** The maximum time since this node last proved that it knows every revocation. Default: `'5s'`. */
  readonly maxStaleness?: Duration
  /** How tokens are treated on a stale node: `reject` as `stale`, or `accept` and flag it. Default: `'reject'`. */
  readonly onStale?: 'reject' | 'accept'
  /**
   * What to do until the feed has been read for the first time: `wait` for it, or start and `reject` or `accept`
   * tokens. Default: `'wait'`.
   */
  readonly onStart?: 'wait' | 'reject' | 'accept'
  /** How far the clock of an issuing node may be ahead, at most a minute. Expiry has no tolerance. Default: `'5s'`. */
  readonly clockTolerance?: Duration
  /** The maximum token length in characters, from 512 to 16,384. Default: 4096. */
  readonly maxTokenLength?: number
  /** The lifecycle of the keys. */
  readonly keys?: KeyOptions
  /** The deadline of a call to the store or the feed. Default: `'2s'`. */
  readonly timeout?: Duration
  /**
   * The name of this node in receipts, in health and for other nodes; unique per process. Default: host name, process
   * id and a few random characters.
   */
  readonly node?: string
  /**
   * The maximum number of revocations in memory, from 1000. A node that exceeds it rejects tokens as `stale` instead of
   * dropping a revocation. Default: 20,000,000 (about 400 MB).
   */
  readonly maxRevocations?: number
  /** The source of time. Default: the machine's clocks. */
  readonly clock?: Clock
}

/** The options with every default filled in, times in milliseconds. */
export interface ResolvedOptions {
  readonly issuer: string
  readonly audiences: readonly string[]
  /** The parsed root keys; their text is not kept. */
  readonly rootKey: RootKey | undefined
  readonly previousRootKeys: readonly RootKey[]
  readonly store: Store | undefined
  readonly feed: RevocationFeed | undefined
  readonly policies: ReadonlyMap<string, Policy>
  readonly claims: StandardSchemaV1 | undefined
  readonly cache: { readonly max: number; readonly maxBytes: number } | undefined
  readonly maxStalenessMs: number
  readonly onStale: 'reject' | 'accept'
  readonly onStart: 'wait' | 'reject' | 'accept'
  readonly clockToleranceMs: number
  readonly maxTokenLength: number
  readonly keys: {
    readonly rotateEveryMs: number
    readonly publishAheadMs: number
    readonly refreshEveryMs: number
  }
  readonly timeoutMs: number
  readonly node: string
  readonly maxRevocations: number
  readonly clock: Clock | undefined
}

/** All defaults. */
const DEFAULTS = {
  rotateAfter: '70%',
  graceMs: MINUTE,
  rotations: { burst: 10, every: '1%' },
  lifetimes: 10,
  maxLifetimeMs: 10 * YEAR,
  cache: { max: 50_000, maxBytes: 64 * 1024 * 1024 },
  maxStalenessMs: 5 * SECOND,
  clockToleranceMs: 5 * SECOND,
  maxTokenLength: 4096,
  keys: {
    rotateEveryMs: 30 * DAY,
    publishAheadMs: 5 * MINUTE,
    refreshEveryMs: MINUTE,
  },
  timeoutMs: 2 * SECOND,
  maxRevocations: 20_000_000,
} as const

/**
 * Checks the options and fills in the defaults. Throws `ERR_INVALID_OPTION`; the message names the field and the fix,
 * never a value.
 */
export function resolveOptions(input: unknown): ResolvedOptions {
  const parsed = optionsSchema.safeParse(input)
  if (!parsed.success) {
    const checked = { schema: optionsSchema, input, root: 'options', noun: 'option' }
    throw new WatchwordError('ERR_INVALID_OPTION', issueText(parsed.error.issues, checked))
  }
  const { data } = parsed
  const audiences = typeof data.audience === 'string' ? [data.audience] : data.audience
  if (new Set(audiences).size !== audiences.length)
    throw invalidOption('audience', 'expected each name once')
  const policies = new Map<string, Policy>()
  for (const [policyName, policy] of Object.entries(data.policies))
    policies.set(policyName, resolvePolicy(policyName, policy, data.prefix))
  return {
    issuer: data.issuer,
    audiences,
    rootKey: data.rootKey === undefined ? undefined : resolveRootKey(data.rootKey),
    previousRootKeys: (data.previousRootKeys ?? []).map((key, i) => resolveRootKey(key, i)),
    store: data.store,
    feed: data.feed,
    policies,
    claims: data.claims,
    cache: data.cache === false ? undefined : withDefaults(DEFAULTS.cache, data.cache),
    maxStalenessMs: data.maxStaleness ?? DEFAULTS.maxStalenessMs,
    onStale: data.onStale ?? 'reject',
    onStart: data.onStart ?? 'wait',
    clockToleranceMs: data.clockTolerance ?? DEFAULTS.clockToleranceMs,
    maxTokenLength: data.maxTokenLength ?? DEFAULTS.maxTokenLength,
    keys: resolveKeys(data.keys ?? bare({})),
    timeoutMs: data.timeout ?? DEFAULTS.timeoutMs,
    node: data.node ?? defaultNodeName(),
    maxRevocations: data.maxRevocations ?? DEFAULTS.maxRevocations,
    clock: data.clock,
  }
}

type Limits = { readonly max: number; readonly maxBytes: number }

function withDefaults(defaults: Limits, given: z.output<typeof cacheSchema> = bare({})): Limits {
  return { max: given.max ?? defaults.max, maxBytes: given.maxBytes ?? defaults.maxBytes }
}

function resolveKeys(given: z.output<typeof keysSchema>): ResolvedOptions['keys'] {
  const keys = {
    rotateEveryMs: given.rotateEvery ?? DEFAULTS.keys.rotateEveryMs,
    publishAheadMs: given.publishAhead ?? DEFAULTS.keys.publishAheadMs,
    refreshEveryMs: given.refreshEvery ?? DEFAULTS.keys.refreshEveryMs,
  }
  if (keys.publishAheadMs <= keys.refreshEveryMs) {
    throw invalidOption(
      'keys.publishAhead',
      'expected more than keys.refreshEvery, or a node would meet a key it has not read yet',
    )
  }
  if (keys.rotateEveryMs <= 4 * keys.publishAheadMs) {
    throw invalidOption('keys.rotateEvery', 'expected more than four times keys.publishAhead')
  }
  return keys
}

function resolvePolicy(
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
