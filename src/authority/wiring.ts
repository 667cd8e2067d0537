/**
 * The wiring: creates the parts of one authority from its options, without starting them.
 *
 * @module
 */

import { PAE } from 'paseto'
import { VerifiedCache } from '../cache/verified-cache.js'
import type { RevocationFeed } from '../feed/feed.js'
import { memoryFeed } from '../feed/memory.js'
import { AuditTagger } from '../keys/audit-tagger.js'
import { FeedKeyring } from '../keys/feed-keyring.js'
import { Keyring } from '../keys/keyring.js'
import { RecordTagger, rowInspector } from '../keys/record-tagger.js'
import { TAG_PURPOSE } from '../keys/record-tags.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { type ResolvedClock, resolveClock, systemClock } from '../lib/clock.js'
import { type Deadline, withDeadline } from '../lib/deadline.js'
import { idMaker } from '../lib/new-id.js'
import { AuditTrail } from '../observe/audit/trail.js'
import { audit } from '../observe/audit.js'
import type { AuditAction } from '../observe/channels.js'
import { Failures, type StoreCall } from '../observe/failures.js'
import type { CountedIncident } from '../observe/incident-kind.js'
import type { Probe } from '../observe/probe.js'
import { LastUseRecorder } from '../observe/usage/last-use.js'
import type { ResolvedOptions } from '../options/options.js'
import { Announcements } from '../revocation/follower/announcements.js'
import { Follower } from '../revocation/follower/follower.js'
import { RevocationIndex } from '../revocation/index/revocation-index.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import { memoryStore } from '../store/memory.js'
import type { Store } from '../store/store.js'
import type { Entry } from '../verbs/entry.js'
import { retirePredecessor } from '../verbs/retire.js'
import { successorSearch } from '../verbs/successor-search.js'
import { Verifier } from '../verbs/verify.js'
import { Watches } from '../verbs/watches.js'
import { makeAuditParts } from './audit-parts.js'
import { FleetTime, latestWatermark } from './fleet-time.js'
import { IncidentCounter } from './incident-counter.js'
import type { Parts } from './parts.js'
import { resolveRoots } from './roots.js'
import { refuseLostKeys, warnOfMemory } from './start-checks.js'
import { storeReads } from './store-reads.js'
import { makeUsage } from './usage.js'

// Limits the retry rate in an outage, so a busy token does not load a store that is down.
const RETIRE_AGAIN_MS = 1000

/** Creates the parts. Throws `ERR_INVALID_OPTION`. */
export function buildParts(options: ResolvedOptions): Parts {
  const base = makeBase(options)
  const { clock, store, callStore, index, assertionOf } = base
  const lastUse = new LastUseRecorder(clock, (usages) =>
    callStore(() => store.recordUsage(usages), 'recordUsage'),
  )
  const keys = makeKeys(base)
  const probe: Probe = { observer: undefined }
  const follower = makeFollower(base, keys)
  base.time.follow(follower.time)
  const usage = makeUsage({ ...base, follower, isShared: base.feed.peek === undefined })
  const recorder = usage?.recorder
  const cache = new VerifiedCache<Entry>(
    options.cache,
    recorder === undefined ? undefined : (entry) => recorder.release(entry, clock.recent()),
  )
  const known = {
    ...base,
    ...keys,
    follower,
    announcements: new Announcements({ follower, index }),
  }
  const auditing = makeAuditing(base, keys, follower)
  const verifier = new Verifier({
    ...options,
    clock,
    keyring: keys.keyring,
    cache,
    index,
    follower,
    assertionOf,
    probe,
    onUse: (id, at) => lastUse.note(id, at),
    usage: recorder,
    onFirstUse: (token, again) =>
      void retirePredecessor(known, token).catch(() => clock.setTimer(again, RETIRE_AGAIN_MS)),
  })
  const core = {
    ...known,
    cache,
    lastUse,
    usage,
    auditing,
    verifier,
    probe,
    messages: new WeakSet(),
    state: { closed: false, sweep: undefined, purgeAt: 0 },
  }
  return { ...core, watches: makeWatches(core) }
}

const makeWatches = (core: Omit<Parts, 'watches'>): Watches =>
  new Watches({
    clock: core.clock,
    index: core.index,
    verifier: core.verifier,
    searchMs: core.options.timeoutMs,
    successorOf: successorSearch(core),
  })

const actionOf = (kind: CountedIncident): AuditAction => (isOfAudit(kind) ? kind : `feed.${kind}`)

const isOfAudit = (kind: CountedIncident): kind is Extract<CountedIncident, `audit.${string}`> =>
  kind.startsWith('audit.')

/** The parts that depend on the options alone. */
interface Base {
  readonly options: ResolvedOptions
  readonly clock: ResolvedClock
  readonly store: Store
  readonly feed: RevocationFeed
  /** The limit of one call to the store. */
  readonly deadline: Deadline
  readonly storeFailures: Failures
  readonly callStore: StoreCall
  readonly assertionOf: (audience: string, binding: string) => Uint8Array
  /** Creates a ULID for this time. */
  readonly newId: (time: number) => string
  readonly trail: AuditTrail
  readonly time: FleetTime
  readonly incidents: IncidentCounter
  readonly index: RevocationIndex
}

function makeBase(options: ResolvedOptions): Base {
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
  const time = new FleetTime()
  const newId = idMaker()
  const trail = new AuditTrail({
    clock,
    issuer: options.issuer,
    store: options.audit === undefined ? undefined : store.audit,
    call: callStore,
    newId,
  })
  const incidents = new IncidentCounter(clock, (kind, count) =>
    audit({ clock, trail }, { action: actionOf(kind), actor: 'system', count }),
  )
  const own = { options, clock, store, feed, deadline, storeFailures, callStore, assertionOf }
  return {
    ...own,
    newId,
    trail,
    time,
    incidents,
    index: makeIndex({ options, clock, time, incidents }),
  }
}

function makeIndex({
  options,
  clock,
  time,
  incidents,
}: Pick<Base, 'options' | 'clock' | 'time' | 'incidents'>): RevocationIndex {
  const index = new RevocationIndex({
    max: options.maxRevocations,
    // A revocation dated by a clock that was ahead must not cover tokens that are issued later.
    latest: () => latestWatermark(clock, time),
    onFuture: (count) => incidents.note('clock', count),
    onUnreadable: () => incidents.note('unreadable', 1),
  })
  clock.onStepBack = () => {
    index.clampFuture()
    index.touch()
  }
  return index
}

/** The keys of an authority, and the parts derived from them. */
type Keys = Pick<Parts, 'keyring' | 'feedKeyring' | 'tagKeyring' | 'tagger'>

function makeKeys(base: Base): Keys {
  const { options, clock, store, callStore, index, time, assertionOf, trail } = base
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
    lookupDeadline: base.deadline,
    assertionOf: (audience) => assertionOf(audience, ''),
    isRevoked,
    certainTime: () => time.certain() ?? Number.NEGATIVE_INFINITY,
    duty: () => time.keyDuty,
    onRevoked: ({ id, expiresAt }) =>
      index.apply({ kind: 'key', value: id, before: 0, expiresAt: expiresAt + MAX_SKEW_MS }),
    onEvent: (action, { id, audience }) =>
      audit(base, { action, actor: 'system', keyId: id, audience }),
    draft: (action, { id, audience }) =>
      trail.draft({ action, actor: 'system', keyId: id, audience }),
    written: (draft, isCertain) => trail.written(draft, isCertain),
  })
  const derived = { keyring, roots, clock, isRevoked }
  const feedKeyring = new FeedKeyring(derived)
  const tagKeyring = new FeedKeyring({ ...derived, purpose: TAG_PURPOSE })
  return { keyring, feedKeyring, tagKeyring, tagger: new RecordTagger(tagKeyring) }
}

function makeAuditing(base: Base, { tagKeyring }: Keys, { time }: Follower): Parts['auditing'] {
  const seals = new AuditTagger(tagKeyring)
  base.trail.sealWith((id, body) => seals.tag(id, body))
  return makeAuditParts({
    ...base,
    now: () => time.stamp(),
    seals,
    onIncident: (kind, count) => base.incidents.note(`audit.${kind}`, count),
  })
}

function makeFollower(base: Base, { keyring, feedKeyring, tagger }: Keys): Follower {
  const { options, feed, index, clock, incidents } = base
  const inspect = rowInspector(tagger, (target, id) =>
    base.trail.noteOnce(id, { action: 'store.tampered', actor: 'system', target, id }),
  )
  const horizon = () =>
    Math.min(Math.max(...keyring.stored.map(({ expiresAt }) => expiresAt)) + MAX_SKEW_MS, MAX_TIME)
  const { store, callStore: call, time } = base
  return new Follower({
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
    ...storeReads({ store, call, feed, index, time, inspect, horizon }),
    onIncident: (kind, count) => incidents.note(kind, count),
  })
}

// Uses PASETO's own PAE, so no part can be shifted into another one.
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
