/**
 * The health of an authority.
 *
 * @module
 */
import type { Health } from './health-report.js'
import type { Parts } from './parts.js'

/** Collects the health of every part. */
export function health(parts: Parts): Health {
  const { clock, follower, index, keyring, options, cache, store, state, incidents } = parts
  const { storeFailures, trail, auditing, watches } = parts
  const freshnessMs = follower.renew() ? 0 : follower.freshness.age()
  const live = freshnessMs <= options.maxStalenessMs
  const now = clock.reading()
  return {
    status: state.closed ? 'closed' : live ? 'live' : 'stale',
    freshnessMs,
    maxStalenessMs: options.maxStalenessMs,
    position: { epoch: follower.position.epoch, seq: follower.position.seq },
    lag: follower.lag,
    rejectedEvents: follower.rejected,
    pushes: follower.push,
    incidents: Object.fromEntries(incidents.counts),
    incidentTimes: Object.fromEntries(incidents.times),
    feedFailure: follower.failures.last ?? null,
    storeFailure: storeFailures.last ?? null,
    ...follower.standing,
    pendingRevocations: follower.pending,
    revocations: index.size,
    revocationBytes: index.bytes,
    maxRevocations: options.maxRevocations,
    revocationsFull: index.full,
    node: options.node,
    store: store.name,
    feed: follower.name,
    keys: keyring.list().map((key) => ({ ...key, ageMs: now - key.createdAt })),
    unreadableKeys: keyring.unreadable,
    audit: {
      status: auditing !== undefined ? 'kept' : options.audit === undefined ? 'off' : 'not kept',
      size: auditing?.sequencer.size ?? 0,
      waiting: trail.waiting,
      lost: trail.lost,
    },
    connections: { watched: watches.size },
    cache: { tokens: cache.size, bytes: cache.bytes },
    usage: usageHealth(parts),
  }
}

function usageHealth({ usage }: Parts): Health['usage'] {
  if (usage?.recorder === undefined) return 'not kept'
  const { current } = usage.lives
  return { coveredTo: current.to, counters: usage.recorder.size, gaps: current.gaps }
}
