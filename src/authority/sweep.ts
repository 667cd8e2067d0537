/**
 * The sweep: runs on every node once a minute and drops expired revocations, keys and records. The agreed time of
 * several parties decides, never this node's clock alone.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { DAY, HOUR } from '../lib/duration.js'
import type { AuditTrail } from '../observe/audit/trail.js'
import type { StoreCall } from '../observe/failures.js'
import { MAX_ROW_AGE_MS } from '../observe/usage/keeper.js'
import type { LostLives } from '../observe/usage/lost-lives.js'
import type { Follower } from '../revocation/follower/follower.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'
import { purgeRestrictions } from '../store/checked-restrictions.js'
import type { Store } from '../store/store.js'
import type { UsageStore } from '../store/usage.js'

// Records of expired tokens are kept for a month for inspection; keys and revocations only as long as tokens may depend
// on them.
const KEEP_RECORDS_MS = 30 * DAY
const PURGE_EVERY_MS = HOUR
// A node sends no rows for hours older than this, and has an hour for those that are on the way.
const FOLD_AFTER_MS = MAX_ROW_AGE_MS + HOUR

/** Between 1 and 2, so that the nodes do the same work at different times. */
const spread = (): number => 1 + Math.random()

/** The parts of usage that a sweep needs. */
interface SweptUsage {
  readonly part: Pick<UsageStore, 'purge'>
  readonly lostLives: Pick<LostLives, 'check'>
}

/** Options of a sweep. */
export interface SweepParts {
  readonly index: RevocationIndex
  readonly follower: Follower
  readonly store: Pick<Store, 'purge' | 'audit' | 'restrictions'>
  /** Keeps the restrictions of the store and of the log the same; `undefined` if the store keeps none. */
  readonly restrictions: { run(now: number, spread: number): Promise<boolean> } | undefined
  readonly trail: Pick<AuditTrail, 'note'>
  readonly callStore: StoreCall
  readonly options: {
    readonly audit: { readonly keepMs: number } | undefined
    readonly keys: { readonly rotateEveryMs: number; readonly publishAheadMs: number }
    readonly usage: { readonly keepMs: number }
  }
  /** `undefined` for a store that keeps no usage. */
  readonly usage: SweptUsage | undefined
  /** State of the node: whether it has stopped, and when it purges the store next. */
  readonly state: { readonly closed: boolean; purgeAt: number }
}

/** Checks the clocks and drops expired entries. Never rejects. */
export async function sweep(parts: SweepParts): Promise<void> {
  const { index, state, follower } = parts
  follower.doubt()
  const [now] = await Promise.all([follower.time.look(), follower.compareServers()])
  index.clampFuture()
  // Nothing is dropped while clocks disagree.
  if (now === undefined || state.closed) return
  // First: after a downtime, the entries of registers that are in force may have expired.
  const isExtended = (await parts.restrictions?.run(now, spread())) ?? true
  if (state.closed) return
  // No node's clock is behind by more than the skew, so nothing is dropped that a node would still accept.
  index.forget(now - MAX_SKEW_MS, isExtended)
  // The log may be the only place that proves an entry that is still to be extended.
  if (isExtended) void follower.compact(now - MAX_SKEW_MS)
  void parts.usage?.lostLives.check(now).catch(() => undefined)
  // An outage only defers it to the next sweep.
  if (now >= state.purgeAt) void purge(parts, now).catch(() => undefined)
}

async function purge(parts: SweepParts, now: number): Promise<void> {
  const { store, callStore, state, options, trail, usage } = parts
  const past = now - MAX_SKEW_MS
  // Events sealed with a key may concern tokens of its successor, which was published before the key retired.
  const keys = past - 2 * (options.keys.rotateEveryMs + options.keys.publishAheadMs)
  const before = { tokens: past - KEEP_RECORDS_MS, keys, revocations: past }
  const purged = await callStore(() => store.purge(before), 'purge')
  const count = purged.tokens + purged.keys + purged.revocations
  if (count > 0) trail.note({ action: 'store.purged', actor: 'system', count })
  const { audit, restrictions } = store
  // Later than any node drops the register, so that a new one does not begin with a revision that a node still has.
  if (restrictions !== undefined)
    await callStore(() => purgeRestrictions(restrictions, keys), 'purge')
  const keepMs = options.audit?.keepMs
  if (audit !== undefined && keepMs !== undefined)
    await callStore(() => audit.purge(past - keepMs), 'purge')
  if (usage !== undefined) {
    const until = { foldUntil: past - FOLD_AFTER_MS, removeUntil: past - options.usage.keepMs }
    await callStore(() => usage.part.purge(until), 'usage')
  }
  // Each node has a random time within the hour.
  state.purgeAt = now + PURGE_EVERY_MS * spread()
}
