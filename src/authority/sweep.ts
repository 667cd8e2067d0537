/**
 * The sweep: what every node does once a minute, and the only place where revocations, keys and records are dropped. What
 * is dropped is decided by the time that several parties agree on, and never by the clock of this node alone.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import type { StoreCall } from '../observe/failures.js'
import type { Follower } from '../revocation/follower/follower.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'
import type { Store } from '../store/store.js'

// Records of dead tokens are kept for a month, for whoever asks what a token was; keys and revocations go when the last
// token that they concern is gone.
const KEEP_RECORDS_MS = 30 * 86_400_000
const PURGE_EVERY_MS = 3_600_000

/** What a sweep needs. */
export interface SweepParts {
  readonly index: RevocationIndex
  readonly follower: Follower
  readonly store: Pick<Store, 'purge'>
  readonly callStore: StoreCall
  readonly options: {
    readonly keys: { readonly rotateEveryMs: number; readonly publishAheadMs: number }
  }
  /** Of the node: whether it has stopped, and from when on it purges the store again. */
  readonly state: { readonly closed: boolean; purgeAt: number }
}

/** Looks at the clocks, and drops what is dead. Never rejects. */
export async function sweep(parts: SweepParts): Promise<void> {
  const { index, state, follower } = parts
  follower.doubt()
  const [now] = await Promise.all([follower.time.look(), follower.compareServers()])
  index.clampFuture()
  // While clocks disagree nothing is dropped.
  if (now === undefined || state.closed) return
  // No node's clock is further behind than the skew, so nothing is forgotten that one of them would still accept.
  index.forget(now - MAX_SKEW_MS)
  void follower.compact(now - MAX_SKEW_MS)
  // An outage only puts it off to the next sweep.
  if (now >= state.purgeAt) void purge(parts, now).catch(() => undefined)
}

async function purge({ store, callStore, state, options }: SweepParts, now: number): Promise<void> {
  const past = now - MAX_SKEW_MS
  // What a key sealed in the feed may concern the tokens of its successor, which was published before it retired.
  const keys = past - 2 * (options.keys.rotateEveryMs + options.keys.publishAheadMs)
  const before = { tokens: past - KEEP_RECORDS_MS, keys, revocations: past }
  await callStore(() => store.purge(before), 'purge')
  // Each node comes at a time of its own within the hour.
  state.purgeAt = now + PURGE_EVERY_MS * (1 + Math.random())
}
