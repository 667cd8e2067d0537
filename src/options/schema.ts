/**
 * The schema of an authority's options; each field has a message that names the fix.
 *
 * @module
 */
import { types } from 'node:util'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import * as z from 'zod/mini'
import type { RevocationFeed } from '../feed/feed.js'
import type { KeyWrapper } from '../keys/root-key.js'
import type { Clock } from '../lib/clock.js'
import {
  type Duration,
  HOUR,
  MINUTE,
  parseDuration,
  parseShare,
  SECOND,
  YEAR,
} from '../lib/duration.js'
import { adapterFor, hasMethods } from '../lib/foreign-client.js'
import { isName } from '../lib/name.js'
import { durationText } from '../lib/quote.js'
import { optional, strict } from '../lib/schema.js'
import { warnOfSeconds } from '../lib/warn.js'
import { DETAILS, type Detail, type ReuseAction } from '../policy/policy.js'
import { isScope, MAX_SCOPES } from '../policy/scopes.js'
import type { Store } from '../store/store.js'

const name = (maxLength: number) =>
  z
    .string('expected a string')
    .check(
      z.refine(
        (value) => isName(value, maxLength),
        `expected 1 to ${maxLength} characters, none of them a control character`,
      ),
    )

const duration = (min: number, max: number, example: string) =>
  z.pipe(
    z.custom<Duration>(
      (value) => {
        const ms = parseDuration(value)
        return ms !== undefined && ms >= min && ms <= max
      },
      `expected a duration such as '${example}' (ms, s, m, h, d or w) or whole milliseconds, from ${durationText(min)} to ${durationText(max)}`,
    ),
    z.transform((value) => {
      warnOfSeconds(value)
      return parseDuration(value) as number
    }),
  )

const whole = (min: number, max: number) =>
  z.custom<number>(
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
    `expected a whole number from ${min} to ${max}`,
  )

const oneOf = <T extends string>(...values: T[]) =>
  z.custom<T>((value) => values.includes(value as T), `expected one of '${values.join("', '")}'`)

const STORE_METHODS = [
  ...['open', 'close', 'insertTokens', 'getToken', 'listTokens', 'succeed', 'supersede', 'revoke'],
  ...['listRevocations', 'insertKey', 'listKeys', 'rewrapKey', 'recordUsage', 'purge'],
  ...['countTokens', 'updateDetails'],
]

const USAGE_METHODS = ['mergeRows', 'listRows', 'mergeLife', 'listLives', 'purge']

const FEED_METHODS = ['open', 'head', 'read', 'append', 'close']

const adapter = <T>(
  kind: string,
  example: string,
  methods: readonly string[],
  rest: (value: T) => boolean = () => true,
  hint: (value: unknown) => string | undefined = () => undefined,
) =>
  z.custom<T>((value) => hasMethods(value, methods) && rest(value as T), {
    error: ({ input }) =>
      (hasMethods(input, methods) ? undefined : hint(input)) ??
      `expected a ${kind} such as ${example}: an object with ${methods.join(', ')} and the properties that its type names`,
  })

const hintAtStore = (value: unknown): string | undefined =>
  hasMethods(value, FEED_METHODS)
    ? 'expected a store, got a feed: pass it as `feed`'
    : (adapterFor(value, 'store') ?? hintAtUnfinished(value, 'store'))

const hintAtFeed = (value: unknown): string | undefined =>
  hasMethods(value, STORE_METHODS)
    ? 'expected a feed, got a store: pass it as `store`'
    : (adapterFor(value, 'feed') ?? hintAtUnfinished(value, 'feed'))

function hintAtUnfinished(value: unknown, kind: 'store' | 'feed'): string | undefined {
  if (typeof value === 'function')
    return `expected a ${kind}, got a function: call it, as in memory${kind === 'store' ? 'Store' : 'Feed'}()`
  return types.isPromise(value) ? `expected a ${kind}, got a promise: await it` : undefined
}

const isMethodIfAny = (method: unknown): boolean =>
  method === undefined || typeof method === 'function'

// Adapters written in JavaScript have no compiler that reports a missing method.
const describesStore = ({ name, supports, usage }: Partial<Store>): boolean =>
  typeof name === 'string' &&
  typeof supports?.durable === 'boolean' &&
  (usage === undefined || hasMethods(usage, USAGE_METHODS))

const describesFeed = (feed: Partial<RevocationFeed>): boolean => {
  const { info, watch, touch, trim, peek } = feed
  return (
    (info?.name === undefined || isName(info.name, 64)) &&
    Number.isFinite(info?.suggestedPollMs) &&
    (info?.suggestedPollMs as number) > 0 &&
    [watch, touch, trim, peek].every(isMethodIfAny)
  )
}

const isWholeClock = ({ monotonic, setTimer }: Partial<Clock>): boolean =>
  isMethodIfAny(monotonic) && isMethodIfAny(setTimer)

const shareOrDuration = (share: string, example: string) =>
  z.pipe(
    z.custom<Duration>(
      (value) => parseShare(value) !== undefined || (parseDuration(value) ?? 0) > 0,
      `expected a share of the lifetime such as '${share}', or a duration such as '${example}'`,
    ),
    z.transform((value) => {
      const share = parseShare(value)
      return share === undefined ? { ms: parseDuration(value) as number } : { share }
    }),
  )

const scopes = z
  .array(
    z.custom<string>(isScope, "expected a scope such as 'orders:read' or 'orders:*'"),
    'expected a list of scopes',
  )
  .check(z.maxLength(MAX_SCOPES, `expected at most ${MAX_SCOPES} scopes`))

const prefix = z
  .string("expected a prefix such as 'acme_live'")
  .check(
    z.regex(
      /^(?=.{2,32}$)[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/,
      "expected a prefix such as 'acme_live': 2 to 32 of a-z, 0-9 and single '_'",
    ),
  )

// An empty list would look like a demand and demand nothing.
const isDetails = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  new Set(value).size === value.length &&
  value.every((each) => DETAILS.includes(each))

const rotations = strict(
  {
    burst: optional(whole(1, 1_000_000)),
    every: optional(shareOrDuration('1%', '10m')),
  },
  'expected { burst, every }',
)

/** One policy. */
export const policySchema = strict(
  {
    ttl: duration(SECOND, 10 * YEAR, '30d'),
    scopes,
    rotateAfter: optional(shareOrDuration('70%', '12h')),
    rotations: optional(rotations),
    grace: optional(duration(0, HOUR, '60s')),
    maxLifetime: optional(duration(SECOND, 10 * YEAR, '365d')),
    maxActivePerSubject: optional(whole(1, 1_000_000)),
    require: optional(
      z.custom<readonly Detail[]>(
        isDetails,
        `expected a list of one or more of '${DETAILS.join("', '")}', each once`,
      ),
    ),
    version: optional(whole(1, 1_000_000)),
    minVersion: optional(whole(1, 1_000_000)),
    reuse: optional(oneOf<ReuseAction>('observe', 'alert', 'revoke-family')),
    retireOn: optional(oneOf('grace', 'first-use')),
    audit: optional(
      strict({ required: z.boolean('expected true or false') }, 'expected { required }'),
    ),
    prefix: optional(prefix),
  },
  'expected a policy: an object with at least `ttl` and `scopes`',
)

const rootKey = z.custom<string | KeyWrapper>(
  (value) =>
    typeof value === 'string' ||
    (hasMethods(value, ['wrap', 'unwrap']) && isName((value as { id?: unknown }).id, 256)),
  "expected the text of a 'k4.local.…' key, or { id, wrap, unwrap }",
)

/** The lifecycle of keys. */
export const keysSchema = strict(
  {
    rotateEvery: optional(duration(HOUR, 2 * YEAR, '30d')),
    publishAhead: optional(duration(SECOND, 7 * 24 * HOUR, '5m')),
    refreshEvery: optional(duration(100, 24 * HOUR, '1m')),
  },
  'expected { rotateEvery, publishAhead, refreshEvery }',
)

/** The bounds of the cache. */
export const cacheSchema = strict({
  max: optional(whole(1, 10_000_000)),
  maxBytes: optional(whole(10_000, 2 ** 36)),
})

/** How the audit is kept. */
export const auditSchema = strict(
  {
    checkpointEvery: optional(duration(SECOND, 24 * HOUR, '1m')),
    onCheckpoint: optional(
      z.custom<(text: string) => unknown>(
        (value) => typeof value === 'function',
        'expected a function of the text of a checkpoint',
      ),
    ),
    keep: optional(duration(24 * HOUR, 10 * YEAR, '400d')),
  },
  'expected { checkpointEvery, onCheckpoint, keep }',
)

const flag = z.boolean('expected true or false')

/** What is kept about the use of tokens. */
export const usageSchema = strict({
  scopes: optional(flag),
  callers: optional(flag),
  keep: optional(duration(7 * 24 * HOUR, 10 * YEAR, '180d')),
  flushEvery: optional(duration(SECOND, 10 * MINUTE, '1m')),
})

const AUDIENCES = 'expected a name, or a list of 1 to 64 names'

/** The options of an authority. */
export const optionsSchema = strict(
  {
    issuer: name(512),
    audience: z.union(
      [name(256), z.array(name(256)).check(z.minLength(1, AUDIENCES), z.maxLength(64, AUDIENCES))],
      AUDIENCES,
    ),
    rootKey: optional(rootKey),
    previousRootKeys: optional(z.array(rootKey, 'expected a list of root keys')),
    store: optional(
      adapter<Store>('store', 'memoryStore()', STORE_METHODS, describesStore, hintAtStore),
    ),
    feed: optional(
      adapter<RevocationFeed>('feed', 'memoryFeed()', FEED_METHODS, describesFeed, hintAtFeed),
    ),
    policies: z.record(name(64), policySchema, 'expected an object of policies by name'),
    claims: optional(
      z.custom<StandardSchemaV1>(
        (value) =>
          typeof (value as StandardSchemaV1 | undefined)?.['~standard']?.validate === 'function',
        'expected a Standard Schema, such as one of zod, valibot or arktype',
      ),
    ),
    prefix: optional(prefix),
    cache: optional(
      z.union(
        [z.literal(false), cacheSchema],
        'expected false, or { max, maxBytes } with whole numbers of at least 1 and 10,000',
      ),
    ),
    audit: optional(
      z.union(
        [z.literal(false), auditSchema],
        "expected false, or { checkpointEvery, onCheckpoint, keep }: durations such as '1m' (from 1s to 1d) and '400d' (at least 1d), and a function",
      ),
    ),
    maxStaleness: optional(duration(10, HOUR, '5s')),
    onStale: optional(oneOf('reject', 'accept')),
    onStart: optional(oneOf('wait', 'reject', 'accept')),
    clockTolerance: optional(duration(0, MINUTE, '5s')),
    maxTokenLength: optional(whole(512, 16_384)),
    keys: optional(keysSchema),
    timeout: optional(duration(10, 10 * MINUTE, '2s')),
    node: optional(name(128)),
    maxRevocations: optional(whole(1000, 100_000_000)),
    usage: optional(
      z.union(
        [z.literal(false), usageSchema],
        'expected false, or { scopes, callers, keep, flushEvery } with flags and durations',
      ),
    ),
    clock: optional(adapter<Clock>('clock', 'manualClock()', ['now'], isWholeClock)),
  },
  'expected an object of options',
)
