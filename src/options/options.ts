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
import { DAY, type Duration, MINUTE, SECOND } from '../lib/duration.js'
import { bare } from '../lib/fields.js'
import { invalidOption } from '../lib/invalid.js'
import { issueText } from '../lib/issue-text.js'
import type { Policy } from '../policy/policy.js'
import { defaultNodeName } from '../revocation/follower/local-life.js'
import type { Store } from '../store/store.js'
import { type PolicyOptions, resolvePolicy } from './policy-options.js'
import { type auditSchema, type cacheSchema, type keysSchema, optionsSchema } from './schema.js'
import { type ResolvedUsage, resolveUsage, type UsageOptions } from './usage.js'

export type { PolicyOptions, RotationsOptions } from './policy-options.js'

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

/** How the audit is kept. */
export interface AuditOptions {
  /** How often a node appends new rows to the tree and makes a checkpoint, from a second to a day. Default: `'1m'`. */
  readonly checkpointEvery?: Duration
  /**
   * Called with the text of each checkpoint that this node makes or learns of, in the format of C2SP tlog-checkpoint.
   * Keep each text, and where the administrators of the database cannot change it: `audit.verify({ checkpoint })` proves
   * that every row up to there is unchanged. What it throws or rejects with is ignored. Default: none.
   */
  readonly onCheckpoint?: (text: string) => unknown
  /**
   * How long the content of rows is kept, from a day to ten years. Afterwards their hashes remain, so `audit.verify` can still
   * check the tree. Default: `'400d'`.
   */
  readonly keep?: Duration
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
  /**
   * How the audit is kept, or `false` for none. Kept only by a store that supports it; `health()` says whether. Default:
   * a checkpoint every minute, content for 400 days.
   */
  readonly audit?: AuditOptions | false
  /**
   * Counts how tokens are used, for `tokens.usage`, if the store keeps usage; `false` counts nothing, and reports say
   * that they know nothing about this node. Default: everything, for 180 days.
   */
  readonly usage?: UsageOptions | false
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
  /** `undefined`: no audit. */
  readonly audit:
    | {
        readonly everyMs: number
        readonly keepMs: number
        readonly onCheckpoint: ((text: string) => unknown) | undefined
      }
    | undefined
  readonly timeoutMs: number
  readonly node: string
  readonly maxRevocations: number
  readonly usage: ResolvedUsage
  readonly clock: Clock | undefined
}

/** All defaults. */
const DEFAULTS = {
  cache: { max: 50_000, maxBytes: 64 * 1024 * 1024 },
  maxStalenessMs: 5 * SECOND,
  clockToleranceMs: 5 * SECOND,
  maxTokenLength: 4096,
  keys: {
    rotateEveryMs: 30 * DAY,
    publishAheadMs: 5 * MINUTE,
    refreshEveryMs: MINUTE,
  },
  audit: { everyMs: MINUTE, keepMs: 400 * DAY },
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
    audit: resolveAudit(data.audit),
    timeoutMs: data.timeout ?? DEFAULTS.timeoutMs,
    node: data.node ?? defaultNodeName(),
    maxRevocations: data.maxRevocations ?? DEFAULTS.maxRevocations,
    usage: resolveUsage(data.usage),
    clock: data.clock,
  }
}

type Limits = { readonly max: number; readonly maxBytes: number }

function withDefaults(defaults: Limits, given: z.output<typeof cacheSchema> = bare({})): Limits {
  return { max: given.max ?? defaults.max, maxBytes: given.maxBytes ?? defaults.maxBytes }
}

function resolveAudit(given: z.output<typeof auditSchema> | false = bare({})) {
  if (given === false) return undefined
  return {
    everyMs: given.checkpointEvery ?? DEFAULTS.audit.everyMs,
    keepMs: given.keep ?? DEFAULTS.audit.keepMs,
    onCheckpoint: given.onCheckpoint,
  }
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
