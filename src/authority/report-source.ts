/**
 * Registers an authority for the functions of `watchword/report`.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { MINUTE } from '../lib/duration.js'
import { registerReportSource, type UseSource } from '../report/source.js'
import { readLives, readUsageRows } from '../store/checked-usage.js'
import { type OwnUsage, readGaps } from '../verbs/usage.js'
import type { Parts } from './parts.js'
import { ownUsage } from './usage.js'
import type { Watchword } from './watchword.js'

/** Offers the inventory and the readings of an authority to reports. */
export function offerReports(
  { authenticate, tokens, keys, health }: Watchword,
  parts: Parts,
): void {
  const { options, clock } = parts
  const own = ownUsage(parts.usage, parts.follower)
  registerReportSource(authenticate, {
    issuer: options.issuer,
    now: () => clock.now(),
    policy: (name) => options.policies.get(name),
    get: tokens.get,
    list: tokens.list,
    count: tokens.count,
    keys: keys.list,
    state: health,
    usage: own === undefined ? undefined : useSource(parts, own),
  })
}

function useSource(parts: Parts, own: OwnUsage): UseSource {
  return {
    flush: () => settledTime(parts, own),
    rows: (ids, since) => parts.callStore(() => readUsageRows(own.part, ids, since - MAX_SKEW_MS)),
    gaps: ({ from, to }) => readGaps(parts, own, from, to),
  }
}

// A running node writes once a minute. One that is behind for longer is a gap.
const SETTLED_WITHIN_MS = 5 * MINUTE

/** The time up to which this node and every other running one have written their counts. */
async function settledTime(parts: Parts, own: OwnUsage): Promise<number> {
  const to = await own.flush()
  const lives = await parts.callStore(() => readLives(own.part, to - SETTLED_WITHIN_MS))
  const running = lives.filter((life) => life.endedAt === null && life.to > to - SETTLED_WITHIN_MS)
  return Math.min(to, ...running.map((life) => life.to))
}
