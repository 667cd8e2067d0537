/**
 * Starting and stopping an authority, and what it does by itself in between.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { holdAdapter, releaseAdapter } from '../lib/adapter-refs.js'
import type { Parts } from './parts.js'

const SWEEP_EVERY_MS = 60_000
// Records of dead tokens are kept for a month, for whoever asks what a token was; keys and revocations go when the last
// token that they concern is gone.
const KEEP_RECORDS_MS = 30 * 86_400_000
const PURGE_EVERY_MS = 3_600_000

/** Starts the parts, in the order in which they need each other. */
export async function startParts(parts: Parts): Promise<void> {
  const { options, store, callStore, keyring, follower, verifier } = parts
  holdAdapter(store)
  follower.hold()
  await callStore(() => store.open())
  await follower.time.look()
  // The keys first: without them no seal of the feed can be read.
  await keyring.start()
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
  scheduleSweep(parts)
}

function scheduleSweep(parts: Parts): void {
  const { clock, state } = parts
  state.sweep = clock.setTimer(() => {
    if (state.closed) return
    void sweep(parts).finally(() => {
      if (!state.closed) scheduleSweep(parts)
    })
  }, SWEEP_EVERY_MS)
}

async function sweep(parts: Parts): Promise<void> {
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

async function purge({ store, callStore, state, options }: Parts, now: number): Promise<void> {
  const past = now - MAX_SKEW_MS
  // What a key sealed in the feed may concern the tokens of its successor, which was published before it retired.
  const keys = past - 2 * (options.keys.rotateEveryMs + options.keys.publishAheadMs)
  const before = { tokens: past - KEEP_RECORDS_MS, keys, revocations: past }
  await callStore(() => store.purge(before), 'purge')
  // Each node comes at a time of its own within the hour.
  state.purgeAt = now + PURGE_EVERY_MS * (1 + Math.random())
}

/** Stops the parts and lets go of everything. Idempotent. */
export async function stopParts(parts: Parts): Promise<void> {
  const { follower, usage, store, callStore } = parts
  if (!halt(parts)) return
  const results = await Promise.allSettled([follower.stop(), usage.flush()])
  if (releaseAdapter(store)) await callStore(() => store.close())
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/**
 * Stops the parts of an authority that could not start, and closes neither store nor feed: they are the caller's, who
 * may well try again with them.
 */
export function abandonParts(parts: Parts): void {
  halt(parts)
  parts.follower.abandon()
  releaseAdapter(parts.store)
}

function halt({ state, verifier, keyring, feedKeyring, tagKeyring }: Parts): boolean {
  if (state.closed) return false
  state.closed = true
  state.sweep?.cancel()
  verifier.close()
  keyring.stop()
  feedKeyring.stop()
  tagKeyring.stop()
  return true
}
