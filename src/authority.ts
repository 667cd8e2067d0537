/**
 * The authority: wires the parts of {@link createWatchword} and starts them.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { PAE } from 'paseto'
import { monotonicFactory } from 'ulid'
import { VerifiedCache } from './cache/verified-cache.js'
import { resolveClock, systemClock, type Timer } from './clock.js'
import { audit, type Core } from './core.js'
import { withDeadline } from './deadline.js'
import { WatchwordError } from './errors.js'
import { memoryFeed } from './feed/memory.js'
import { type IssueInput, issue, issueMany } from './issue.js'
import type { IssuedToken } from './issued-token.js'
import { type KeyInfo, Keyring } from './keys/keyring.js'
import { ephemeralRootKey, type RootKey, resolveRootKey } from './keys/root-key.js'
import { MAX_SKEW_MS } from './keys/rotation.js'
import { UsageRecorder } from './observe/usage.js'
import { type ResolvedOptions, resolveOptions, type WatchwordOptions } from './options.js'
import {
  CompiledRequirement,
  compileInline,
  compileRequirement,
  NO_REQUIREMENT,
} from './requirement.js'
import { Follower } from './revocation/follower.js'
import { RevocationIndex } from './revocation/index.js'
import { type RevokeOptions, type RevokeReceipt, revoke } from './revoke.js'
import { type RotateOptions, retirePredecessor, rotate } from './rotate.js'
import { readToken } from './store/checked.js'
import { memoryStore } from './store/memory.js'
import type { Store } from './store/store.js'
import { ready } from './token/self-test.js'
import { getToken, listTokens, type TokenInfo, type TokenPage, type TokenQuery } from './tokens.js'
import type { AnyClaims, Requirement, RevokeTarget, VerifyResult } from './types.js'
import { type Entry, REJECTED, Verifier } from './verifier.js'

/** The custom claims that a schema lets through. */
export type ClaimsOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : AnyClaims

/** The custom claims that a schema takes. */
export type ClaimsInputOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<S>
  : AnyClaims

/** How an authority stands. */
export interface Health {
  /** `live`: verifies; `stale`: cannot prove that it knows every revocation; `closed`. */
  readonly status: 'live' | 'stale' | 'closed'
  /** How long ago freshness was last proved, in milliseconds; infinite: never. */
  readonly freshnessMs: number
  readonly maxStalenessMs: number
  /** Where this node stands in the feed. */
  readonly position: { readonly epoch: string; readonly seq: number }
  /** How many events of the feed this node has not applied, as far as it knows. */
  readonly lag: number
  /** How many events were passed over because they do not parse. */
  readonly rejectedEvents: number
  /** How many revocations are held in memory. */
  readonly revocations: number
  readonly store: string
  readonly feed: string
  readonly keys: readonly (KeyInfo & {
    /** How long ago it was made, in milliseconds. */
    readonly ageMs: number
  })[]
  /** Stored keys that no root key at hand opens. */
  readonly unreadableKeys: number
  readonly cache: { readonly tokens: number; readonly bytes: number }
}

/** What `createWatchword` answers: issues, verifies, rotates and revokes. */
export interface Watchword<Claims = AnyClaims, ClaimsInput = AnyClaims> {
  /**
   * Issues a token and keeps its record. Rejects with `ERR_INVALID_ARGUMENT`, `ERR_UNKNOWN_POLICY`,
   * `ERR_UNKNOWN_AUDIENCE`, `ERR_SCOPE_NOT_GRANTABLE`, `ERR_TTL_TOO_LONG`, `ERR_RESERVED_CLAIM`, `ERR_CLAIMS_INVALID`,
   * `ERR_TOKEN_TOO_LONG`, `ERR_LIMIT_REACHED`, `ERR_NO_SIGNING_KEY`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`; but for
   * the last two of these, nothing was written.
   */
  issue(input: IssueInput<ClaimsInput>): Promise<IssuedToken>
  /**
   * Issues up to 1000 tokens in one step of the store: all, or none. With a policy that has `maxActivePerSubject`, all
   * must be for one subject and of that policy. Rejects as `issue` does.
   */
  issueMany(inputs: readonly IssueInput<ClaimsInput>[]): Promise<readonly IssuedToken[]>
  /** Decides about a token, synchronously and without I/O. Never throws, whatever it is given. */
  verify(token: unknown, requirement?: Requirement | CompiledRequirement): VerifyResult<Claims>
  /**
   * Like `verify`, but does the I/O when that alone can tell: for a key that is not at hand, for a node that is stale,
   * and for `freshness: 'store'`. Rejects with `ERR_STORE_UNAVAILABLE` when the store was demanded and does not answer.
   */
  authenticate(
    token: unknown,
    requirement?: Requirement | CompiledRequirement,
  ): Promise<VerifyResult<Claims>>
  /** Checks and compiles a requirement once, for many calls. Throws `ERR_INVALID_ARGUMENT`. */
  require(requirement: Requirement): CompiledRequirement
  /**
   * Exchanges a token for its one successor. Rejects with `ERR_TOKEN_REJECTED` and a `reason`, `ERR_TOKEN_REUSED`,
   * `ERR_TOKEN_UNKNOWN`, `ERR_FAMILY_ENDED`, `ERR_SCOPE_NOT_GRANTABLE`, `ERR_TTL_TOO_LONG`, `ERR_UNKNOWN_POLICY`,
   * `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE`, `ERR_REVOCATION_UNCERTAIN` or `ERR_CLOSED`. Asking again within
   * the grace answers the same successor.
   */
  rotate(token: string, options: RotateOptions): Promise<IssuedToken>
  /**
   * Kills one token, or everything of a family, subject, key or audience, or all there is. Rejects with
   * `ERR_INVALID_ARGUMENT`, `ERR_TOKEN_REJECTED`, `ERR_REVOCATION_UNCERTAIN`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`;
   * asking again is safe.
   */
  revoke(target: RevokeTarget, options: RevokeOptions): Promise<RevokeReceipt>
  /** The inventory. */
  readonly tokens: {
    /** The record of a token, or `undefined`. Rejects with `ERR_STORE_UNAVAILABLE`. */
    get(id: string): Promise<TokenInfo | undefined>
    /** A page of token records, oldest first. Rejects with `ERR_INVALID_ARGUMENT` or `ERR_STORE_UNAVAILABLE`. */
    list(query?: TokenQuery): Promise<TokenPage>
  }
  /** The keys. */
  readonly keys: {
    /** Every key of this authority's audiences, oldest first. */
    list(): readonly KeyInfo[]
    /** Publishes a successor for one audience, or for all, ahead of the schedule. */
    rotate(audience?: string): Promise<readonly KeyInfo[]>
    /** Revokes a key and every token that it sealed, and makes a new one if it was in use. */
    revoke(id: string, options: RevokeOptions): Promise<RevokeReceipt>
    /** Wraps every stored key with the root key in use. Safe to interrupt and to repeat; answers how many it wrapped. */
    rewrap(): Promise<number>
    /** Reads the store for new keys, without waiting for the next round. */
    refresh(): Promise<void>
  }
  /** How this authority stands. */
  health(): Health
  /** Writes what is pending, lets go of everything, and refuses all calls from then on. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts an authority. Rejects with `ERR_INVALID_OPTION`, `ERR_ROOT_KEY`, `ERR_STORE_UNAVAILABLE`,
 * `ERR_FEED_UNAVAILABLE` or `ERR_SELF_TEST`; then nothing was left running.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 *
 * const watchword = await createWatchword({
 *   issuer: 'https://auth.acme.example',
 *   audience: 'orders-api',
 *   policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
 * })
 * const issued = await watchword.issue({ policy: 'service', subject: 'svc_billing', scopes: ['orders:read'], actor: 'ops' })
 * const result = watchword.verify(issued.token, { scopes: ['orders:read'] })
 * if (result.ok) console.log(result.subject)
 * await watchword.close()
 * ```
 */
export async function createWatchword<const S extends StandardSchemaV1 | undefined = undefined>(
  options: WatchwordOptions<S>,
): Promise<Watchword<ClaimsOf<S>, ClaimsInputOf<S>>> {
  await ready
  const parts = buildParts(resolveOptions(options))
  try {
    await startParts(parts)
  } catch (error) {
    await stopParts(parts).catch(() => undefined)
    throw error
  }
  return facade(parts) as unknown as Watchword<ClaimsOf<S>, ClaimsInputOf<S>>
}

// Paces the retries of an outage, so that a busy token does not turn into load on a store that is down.
const RETIRE_AGAIN_MS = 1000

interface Parts extends Core {
  readonly usage: UsageRecorder
  readonly cache: VerifiedCache<Entry>
  readonly state: { closed: boolean; sweep: Timer | undefined; purgeAt: number }
}

function buildParts(options: ResolvedOptions): Parts {
  const clock = resolveClock(options.clock ?? systemClock)
  const store = options.store ?? memoryStore()
  const feed = options.feed ?? memoryFeed()
  warnOfMemory(options)
  const deadline = {
    clock,
    deadlineMs: options.timeoutMs,
    code: 'ERR_STORE_UNAVAILABLE' as const,
    name: `store "${store.name}"`,
  }
  const callStore = <T>(call: () => Promise<T>) => withDeadline(deadline, call)
  const assertionOf = assertionMaker(options.issuer)
  const index = new RevocationIndex()
  clock.onStepBack = () => index.touch()
  const follower = new Follower({ feed, index, clock, deadlineMs: options.timeoutMs })
  const cache = new VerifiedCache<Entry>(options.cache)
  const usage = new UsageRecorder(clock, (usages) => callStore(() => store.recordUsage(usages)))
  const keyring = new Keyring({
    store,
    clock,
    roots: resolveRoots(options, store),
    audiences: options.audiences,
    schedule: scheduleOf(options),
    refreshEveryMs: options.keys.refreshEveryMs,
    coolDownMs: options.keys.coolDownMs,
    assertionOf: (audience) => assertionOf(audience, ''),
    isRevoked: (id) => index.isKeyRevoked(id),
    onRevoked: ({ id, expiresAt }) =>
      index.apply({ kind: 'key', value: id, before: 0, expiresAt: expiresAt + MAX_SKEW_MS }),
    call: callStore,
    onEvent: (action, { id, audience }) =>
      audit(core, { action, actor: 'system', keyId: id, audience }),
  })
  const verifier = new Verifier({
    ...options,
    clock,
    keyring,
    cache,
    index,
    follower,
    assertionOf,
    onUse: (id, at) => usage.note(id, at),
    onFirstUse: (token, again) =>
      void retirePredecessor(core, token).catch(() => clock.setTimer(again, RETIRE_AGAIN_MS)),
  })
  const core: Parts = {
    options,
    clock,
    store,
    callStore,
    keyring,
    index,
    follower,
    verifier,
    usage,
    cache,
    newId: monotonicFactory(),
    assertionOf,
    state: { closed: false, sweep: undefined, purgeAt: 0 },
  }
  return core
}

// PASETO's own PAE, so that no part can be shifted into another one.
function assertionMaker(issuer: string): (audience: string, binding: string) => Uint8Array {
  const encoder = new TextEncoder()
  return (audience, binding) =>
    PAE([issuer, audience, binding].map((piece) => encoder.encode(piece)))
}

function scheduleOf({ keys, policies }: ResolvedOptions) {
  let maxTokenMs = 0
  for (const policy of policies.values()) maxTokenMs = Math.max(maxTokenMs, policy.ttlMs)
  return { rotateEveryMs: keys.rotateEveryMs, publishAheadMs: keys.publishAheadMs, maxTokenMs }
}

function resolveRoots(options: ResolvedOptions, store: Store): [RootKey, ...RootKey[]] {
  const previous = options.previousRootKeys.map(resolveRootKey)
  if (options.rootKey !== undefined) return [resolveRootKey(options.rootKey), ...previous]
  if (store.supports.durable) {
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      'rootKey: required with a store that outlives the process; make one with `exportKey(generateKey())` of watchword/paseto',
    )
  }
  return [ephemeralRootKey(), ...previous]
}

let warned = false

function warnOfMemory({ store, feed }: ResolvedOptions): void {
  if (
    warned ||
    process.env['NODE_ENV'] !== 'production' ||
    (store !== undefined && feed !== undefined)
  )
    return
  warned = true
  process.emitWarning(
    'tokens or revocations are kept in memory: they end with this process, and no other one sees them',
    {
      type: 'WatchwordWarning',
      code: 'WATCHWORD_MEMORY',
      detail: 'Pass `store` and `feed` to createWatchword.',
    },
  )
}

const SWEEP_EVERY_MS = 60_000
// Records of dead tokens are kept for a month, for whoever asks what a token was; keys and revocations go when the last
// token that they concern is gone.
const KEEP_RECORDS_MS = 30 * 86_400_000
const PURGE_EVERY_MS = 3_600_000

async function startParts(parts: Parts): Promise<void> {
  const { options, store, callStore, keyring, follower, verifier } = parts
  await callStore(() => store.open())
  const following = follower.start()
  if (options.onStart === 'wait') await following
  else {
    verifier.lenient = options.onStart === 'accept'
    void following.then(
      () => {
        verifier.lenient = false
      },
      () => undefined,
    )
  }
  await keyring.start()
  scheduleSweep(parts)
}

function scheduleSweep(parts: Parts): void {
  const { clock, index, state } = parts
  state.sweep = clock.setTimer(() => {
    if (state.closed) return
    const now = clock.now()
    // No node's clock is further behind than the skew, so nothing is forgotten that one of them would still accept.
    index.forget(now - MAX_SKEW_MS)
    // An outage only puts it off to the next sweep.
    if (now >= state.purgeAt) void purge(parts, now).catch(() => undefined)
    scheduleSweep(parts)
  }, SWEEP_EVERY_MS)
}

async function purge({ store, callStore, state }: Parts, now: number): Promise<void> {
  const past = now - MAX_SKEW_MS
  const before = { tokens: past - KEEP_RECORDS_MS, keys: past, revocations: past }
  await callStore(() => store.purge(before))
  // Each node comes at a time of its own within the hour.
  state.purgeAt = now + PURGE_EVERY_MS * (1 + Math.random())
}

async function stopParts({
  state,
  keyring,
  verifier,
  follower,
  usage,
  store,
  callStore,
}: Parts): Promise<void> {
  if (state.closed) return
  state.closed = true
  state.sweep?.cancel()
  verifier.close()
  keyring.stop()
  const results = await Promise.allSettled([follower.stop(), usage.flush()])
  await callStore(() => store.close())
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function facade(parts: Parts): Watchword {
  const { verifier, keyring } = parts
  const open = <T>(verb: () => Promise<T>): Promise<T> =>
    parts.state.closed
      ? Promise.reject(new WatchwordError('ERR_CLOSED', 'the authority was closed'))
      : verb()
  const close = () => stopParts(parts)
  const watchword: Watchword = {
    issue: (input) => open(() => issue(parts, input)),
    issueMany: (inputs) => open(() => issueMany(parts, inputs)),
    verify: (token, requirement) => {
      const needs = requirement === undefined ? NO_REQUIREMENT : needsOf(requirement)
      return (needs === undefined ? UNREADABLE : verifier.verify(token, needs)) as VerifyResult
    },
    authenticate: (token, requirement) =>
      authenticate(parts, token, requirement) as Promise<VerifyResult>,
    require: compileRequirement,
    rotate: (token, options) => open(() => rotate(parts, token, options)),
    revoke: (target, options) => open(() => revoke(parts, target, options)),
    tokens: Object.freeze({
      get: (id: string) => open(() => getToken(parts, id)),
      list: (query: TokenQuery = {}) => open(() => listTokens(parts, query)),
    }),
    keys: Object.freeze({
      list: () => keyring.list(),
      rotate: (audience?: string) => open(() => rotateKeys(parts, audience)),
      revoke: (id: string, options: RevokeOptions) =>
        open(() => revoke(parts, { key: id }, options)),
      rewrap: () => open(() => keyring.rewrap()),
      refresh: () => open(() => keyring.refresh()),
    }),
    health: () => health(parts),
    close,
    [Symbol.asyncDispose]: close,
  }
  return Object.freeze(watchword)
}

// A requirement that cannot be understood is met by no token.
const UNREADABLE = Object.freeze({
  ok: false,
  code: 'insufficient_scope',
  missing: Object.freeze([]),
})

function needsOf(requirement: Requirement | CompiledRequirement): CompiledRequirement | undefined {
  try {
    return requirement instanceof CompiledRequirement ? requirement : compileInline(requirement)
  } catch {
    return undefined
  }
}

async function rotateKeys(
  { keyring, options }: Parts,
  audience: string | undefined,
): Promise<readonly KeyInfo[]> {
  if (audience !== undefined && !options.audiences.includes(audience)) {
    throw new WatchwordError('ERR_UNKNOWN_AUDIENCE', 'audience: this authority does not serve it')
  }
  return keyring.rotate(audience)
}

async function authenticate(
  parts: Parts,
  token: unknown,
  requirement: Requirement | CompiledRequirement = NO_REQUIREMENT,
): Promise<VerifyResult<unknown>> {
  const needs =
    requirement instanceof CompiledRequirement ? requirement : compileRequirement(requirement)
  const { verifier, keyring, follower } = parts
  let result = verifier.verify(token, needs)
  if (parts.state.closed) return result
  if (!result.ok && result.code === 'unknown_key') {
    // An outage leaves the answer as it is: the key is not known.
    const asked = await keyring.refreshForUnknown().catch(() => false)
    if (asked) result = verifier.verify(token, needs)
  }
  if (result.ok || result.code !== 'stale') return result
  if (needs.fromStore) return askStore(parts, token, needs)
  await follower.pull().catch(() => undefined)
  return verifier.verify(token, needs)
}

/** Lets the store decide about one token, after everything else has passed. */
async function askStore(
  parts: Parts,
  token: unknown,
  needs: CompiledRequirement,
): Promise<VerifyResult<unknown>> {
  const { verifier, store, callStore, clock } = parts
  const found = verifier.find(token, needs.binding)
  if ('ok' in found) return found
  const record = await callStore(() => readToken(store, found.principal.id))
  if (record === undefined || record.id !== found.principal.id) return REJECTED.revoked
  if (record.revokedAt !== null) return REJECTED.revoked
  if (record.supersededAt !== null && clock.judged() >= record.supersededAt)
    return REJECTED.superseded
  return verifier.verify(token, needs, true)
}

function health(parts: Parts): Health {
  const { clock, follower, index, keyring, options, cache, store, state } = parts
  const freshnessMs = follower.renew() ? 0 : follower.freshness.age()
  const live = freshnessMs <= options.maxStalenessMs
  const now = clock.now()
  return {
    status: state.closed ? 'closed' : live ? 'live' : 'stale',
    freshnessMs,
    maxStalenessMs: options.maxStalenessMs,
    position: { epoch: follower.position.epoch, seq: follower.position.seq },
    lag: follower.lag,
    rejectedEvents: follower.rejected,
    revocations: index.size,
    store: store.name,
    feed: follower.name,
    keys: keyring.list().map((key) => ({ ...key, ageMs: now - key.createdAt })),
    unreadableKeys: keyring.unreadable,
    cache: { tokens: cache.size, bytes: cache.bytes },
  }
}
