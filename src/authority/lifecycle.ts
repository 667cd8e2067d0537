/**
 * Starts and stops an authority, and runs its timers.
 *
 * @module
 */
import { holdAdapter, releaseAdapter } from '../lib/adapter-refs.js'
import { RestrictionKeeper } from '../verbs/keep-restrictions.js'
import type { Parts } from './parts.js'
import { sweep } from './sweep.js'

const SWEEP_EVERY_MS = 60_000

/** Starts the parts in order of their dependencies. */
export async function startParts(parts: Parts): Promise<void> {
  const { options, store, callStore, keyring, follower, verifier, auditing, trail } = parts
  holdAdapter(store)
  follower.hold()
  await callStore(() => store.open())
  await follower.time.look()
  // Keys come first: seals of the feed cannot be opened without them.
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
  auditing?.sequencer.start()
  // Events from before the keys were loaded.
  void trail.flush()
  // Last, so nothing is announced by an authority that fails to start.
  await parts.usage?.keeper.start()
  scheduleSweep(parts, new RestrictionKeeper(parts))
}

function scheduleSweep(parts: Parts, restrictions: RestrictionKeeper): void {
  const { clock, state } = parts
  state.sweep = clock.setTimer(() => {
    if (state.closed) return
    void sweep({ ...parts, restrictions }).finally(() => {
      if (!state.closed) scheduleSweep(parts, restrictions)
    })
  }, SWEEP_EVERY_MS)
}

/** Stops the parts and releases all resources. Idempotent. */
export async function stopParts(parts: Parts): Promise<void> {
  const { follower, lastUse, usage, store, callStore, trail } = parts
  if (!halt(parts)) return
  const results = await Promise.allSettled([
    follower.stop(),
    lastUse.flush(),
    usage?.keeper.close(),
    trail.flush(),
  ])
  if (releaseAdapter(store)) await callStore(() => store.close())
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/**
 * Stops the parts of an authority that failed to start. Store and feed stay open, because the caller owns them and may
 * retry with them.
 */
export function abandonParts(parts: Parts): void {
  halt(parts)
  parts.usage?.keeper.stop()
  parts.follower.abandon()
  releaseAdapter(parts.store)
}

function halt({
  state,
  verifier,
  watches,
  keyring,
  feedKeyring,
  tagKeyring,
  auditing,
}: Parts): boolean {
  if (state.closed) return false
  state.closed = true
  state.sweep?.cancel()
  auditing?.sequencer.stop()
  verifier.close()
  watches.close()
  keyring.stop()
  feedKeyring.stop()
  tagKeyring.stop()
  return true
}
