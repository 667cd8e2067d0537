/**
 * The wiring: creates the parts of one authority from its options, without starting them.
 *
 * @module
 */

import { PAE } from 'paseto'
import { VerifiedCache } from '../cache/verified-cache.js'
import { WatchwordError } from '../errors.js'
import type { RevocationFeed } from '../feed/feed.js'
import { memoryFeed } from '../feed/memory.js'
import { FeedKeyring } from '../keys/feed-keyring.js'
import { Keyring } from '../keys/keyring.js'
import { RecordTagger, rowInspector } from '../keys/record-tagger.js'
import { TAG_PURPOSE } from '../keys/record-tags.js'
import { ephemeralRootKey, MAKE_A_KEY, type RootKey } from '../keys/root-key.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { type ResolvedClock, resolveClock, systemClock } from '../lib/clock.js'
import { withDeadline } from '../lib/deadline.js'
import { idMaker } from '../lib/new-id.js'
import { isTestRun, warnOnce } from '../lib/warn.js'
import { Failures, type StoreCall } from '../observe/failures.js'
import type { IncidentKind } from '../observe/incident-kind.js'
import { UsageRecorder } from '../observe/usage.js'
import type { ResolvedOptions } from '../options/options.js'
import type { AgreedTime } from '../revocation/follower/agreed-time.js'
import { Announcements } from '../revocation/follower/announcements.js'
import {
  backfillChanges,
  backfillIndex,
  backfillRevocations,
} from '../revocation/follower/backfill.js'
import { Follower } from '../revocation/follower/follower.js'
import { RevocationIndex } from '../revocation/index/revocation-index.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import { readChanges } from '../store/checked.js'
import { memoryStore } from '../store/memory.js'
import type { Store } from '../store/store.js'
import { audit } from '../verbs/core.js'
import type { Entry } from '../verbs/entry.js'
import { retirePredecessor } from '../verbs/retire.js'
import { Verifier } from '../verbs/verify.js'
import type { Parts } from './parts.js'

// Limits the retry rate in an outage, so that a busy token does not load a store that is down.
const RETIRE_AGAIN_MS = 1000

const INCIDENT_EVERY_MS = 10_000

/** Creates the parts. Throws `ERR_INVALID_OPTION`. */
export function buildParts(options: ResolvedOptions): Parts {
  const clock = resolveClock(options.clock ?? systemClock)
  const store = options.store ?? memoryStore()
  const feed = options.feed ?? memoryFeed()
  refuseLostKeys(store, feed)
  warnOfMemory(options)
  const deadline = {
    clock,
    deadlineMs: options.timeoutMs,
    code: 'ERR_STORE_UNAVAILABLE' as const,
    name: `store "${store.name}"`,
  }
  const storeFailures = new Failures(clock)
  const callStore: StoreCall = (call, operation = 'read') =>
    storeFailures.follow(withDeadline(deadline, call), operation)
  const assertionOf = assertionMaker(options.issuer)
  const incidents = new Map<IncidentKind, number>()
  const incidentTimes = new Map<IncidentKind, number>()
  const onIncident = incidentTeller(clock, incidents, incidentTimes, (kind, count) =>
    audit(core, { action: `feed.${kind}`, actor: 'system', count }),
  )
  const index = new RevocationIndex({
    max: options.maxRevocations,
    // A revocation dated by a clock that was ahead must not cover tokens that are issued later.
    latest: () => latestWatermark(clock, follower.time),
    onFuture: (count) => onIncident('clock', count),
  })
  clock.onStepBack = () => {
    index.clampFuture()
    index.touch()
  }
  const cache = new VerifiedCache<Entry>(options.cache)
  const usage = new UsageRecorder(clock, (usages) =>
    callStore(() => store.recordUsage(usages), 'recordUsage'),
  )
  const roots = resolveRoots(options, store, clock)
  const isRevoked = (id: string) => index.isKeyRevoked(id)
  const keyring = new Keyring({
    store,
    clock,
    roots,
    call: callStore,
    refreshEveryMs: options.keys.refreshEveryMs,
    audiences: options.audiences,
    schedule: scheduleOf(options),
    lookupDeadline: deadline,
    assertionOf: (audience) => assertionOf(audience, ''),
    isRevoked,
    certainTime: () => follower.time.certain() ?? Number.NEGATIVE_INFINITY,
    duty: () => follower.time.keyDuty,
    onRevoked: ({ id, expiresAt }) =>
      index.apply({ kind: 'key', value: id, before: 0, expiresAt: expiresAt + MAX_SKEW_MS }),
    onEvent: (action, { id, audience }) =>
      audit(core, { action, actor: 'system', keyId: id, audience }),
  })
  const feedKeyring = new FeedKeyring({ keyring, roots, clock, isRevoked })
  const tagKeyring = new FeedKeyring({ keyring, roots, clock, isRevoked, purpose: TAG_PURPOSE })
  const tagger = new RecordTagger(tagKeyring)
  const inspect = rowInspector(tagger, (target, id) =>
    audit(core, { action: 'store.tampered', actor: 'system', target, id }),
  )
  const horizon = () =>
    Math.min(Math.max(...keyring.stored.map(({ expiresAt }) => expiresAt)) + MAX_SKEW_MS, MAX_TIME)
  const readBack = { store, call: callStore, inspect, horizon }
  const follower: Follower = new Follower({
    feed,
    index,
    keys: feedKeyring,
    clock,
    node: options.node,
    deadlineMs: options.timeoutMs,
    maxStalenessMs: options.maxStalenessMs,
    toleranceMs: options.clockToleranceMs,
    maxSkewMs: MAX_SKEW_MS,
    maxEntries: options.maxRevocations,
    backfill: store.supports.durable
      ? () => backfillIndex({ ...readBack, index, now: follower.time.certain() ?? 0 })
      : undefined,
    // An in-process log cannot be rolled back by another process.
    reconcile:
      store.supports.durable && feed.peek === undefined
        ? {
            begin: async () => (await callStore(() => readChanges(store, null, 1))).cursor,
            since: (into, cursor) =>
              backfillChanges({ ...readBack, index: into, known: index }, cursor),
            recent: (into, since) => backfillRevocations({ ...readBack, index: into }, since),
            all: async (into) => {
              const now = follower.time.certain() ?? 0
              // The store keeps entries for a while after the log has dropped them: those must not take up room.
              into.forget(now - MAX_SKEW_MS)
              await backfillIndex({ ...readBack, index: into, now })
            },
          }
        : undefined,
    storeTime: storeTimeOf(store, callStore),
    storeIdentity:
      store.identity === undefined ? undefined : () => callStore(async () => store.identity?.()),
    onIncident,
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
    feedKeyring,
    tagKeyring,
    tagger,
    incidents,
    incidentTimes,
    storeFailures,
    index,
    follower,
    announcements: new Announcements({ follower, index }),
    verifier,
    usage,
    cache,
    newId: idMaker(),
    assertionOf,
    state: { closed: false, sweep: undefined, purgeAt: 0 },
  }
  return core
}

/**
 * The latest time that a revocation by time may reach. While this node's clock is not known to be right, there is no
 * limit: a node whose clock is behind must not shorten correctly dated revocations.
 */
function latestWatermark(clock: ResolvedClock, time: AgreedTime): number {
  const agreed = time.certain()
  if (agreed === undefined) return Number.POSITIVE_INFINITY
  return Math.max(clock.judged(), agreed) + MAX_SKEW_MS
}

function storeTimeOf(
  store: Store,
  call: <T>(call: () => Promise<T>) => Promise<T>,
): (() => Promise<number>) | undefined {
  if (store.now === undefined) return undefined
  return () => call(async () => store.now?.() ?? Number.NaN)
}

// Uses PASETO's own PAE, so that no part can be shifted into another one.
function assertionMaker(issuer: string): (audience: string, binding: string) => Uint8Array {
  const encoder = new TextEncoder()
  return (audience, binding) =>
    PAE([issuer, audience, binding].map((piece) => encoder.encode(piece)))
}

/** Counts incidents and reports each kind at a limited rate, with the count, so that a flood is not amplified. */
function incidentTeller(
  clock: ResolvedClock,
  totals: Map<IncidentKind, number>,
  times: Map<IncidentKind, number>,
  tell: (kind: IncidentKind, count: number) => void,
): (kind: IncidentKind, count: number) => void {
  const quiet = new Map<IncidentKind, { until: number; count: number }>()
  return (kind, count) => {
    totals.set(kind, (totals.get(kind) ?? 0) + count)
    times.set(kind, clock.reading())
    const known = quiet.get(kind) ?? { until: Number.NEGATIVE_INFINITY, count: 0 }
    known.count += count
    quiet.set(kind, known)
    if (clock.monotonic() < known.until) return
    known.until = clock.monotonic() + INCIDENT_EVERY_MS
    // Reset before the listeners run, so that incidents they cause are counted for the next report.
    const total = known.count
    known.count = 0
    tell(kind, total)
  }
}

function scheduleOf({ keys, policies }: ResolvedOptions) {
  let maxTokenMs = 0
  for (const policy of policies.values()) maxTokenMs = Math.max(maxTokenMs, policy.ttlMs)
  return { rotateEveryMs: keys.rotateEveryMs, publishAheadMs: keys.publishAheadMs, maxTokenMs }
}

function resolveRoots(
  options: ResolvedOptions,
  store: Store,
  clock: ResolvedClock,
): [RootKey, ...RootKey[]] {
  const timely = (root: RootKey) => inTime(root, clock, options.timeoutMs)
  const previous = options.previousRootKeys.map(timely)
  if (options.rootKey !== undefined) return [timely(options.rootKey), ...previous]
  if (store.supports.durable) {
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      `rootKey: required with store "${store.name}", which outlives the process; ${MAKE_A_KEY}`,
    )
  }
  return [ephemeralRootKey(), ...previous]
}

// A KMS that hangs must not block later reads of the keys.
function inTime(root: RootKey, clock: ResolvedClock, deadlineMs: number): RootKey {
  const { id } = root
  const deadline = { clock, deadlineMs, code: 'ERR_ROOT_KEY' as const, name: `root key "${id}"` }
  return {
    id,
    seal: (key) => withDeadline(deadline, () => root.seal(key)),
    open: (wrapped) => withDeadline(deadline, () => root.open(wrapped)),
  }
}

// The keys end with the process while the log that they sealed remains, and no later process could read it.
function refuseLostKeys(store: Store, feed: RevocationFeed): void {
  const { place } = feed.info
  if (store.supports.durable || place === undefined) return
  throw new WatchwordError(
    'ERR_INVALID_OPTION',
    `store: expected one that outlives the process, as the feed does (${place}): with the store "${store.name}" the keys that seal the feed are lost at the next start; pass a store of a database, or memoryFeed()`,
  )
}

function warnOfMemory({ store, feed }: ResolvedOptions): void {
  if (isTestRun() || (store !== undefined && feed !== undefined)) return
  if (store === undefined) {
    const missing = feed === undefined ? 'Pass `store` and `feed`' : 'Pass `store`'
    warnOnce(
      'WATCHWORD_MEMORY',
      `no store was given: tokens and keys are kept in memory, and end with this process. ${missing} to createWatchword, or memoryStore() if that is meant`,
    )
  } else if (store.supports.durable) {
    warnOnce(
      'WATCHWORD_MEMORY',
      `no feed was given: other processes over store "${store.name}" do not learn of the revocations of this one. Pass \`feed\` to createWatchword, or memoryFeed() if there is one process only`,
    )
  }
}
