/**
 * Registers an authority for the functions of `watchword/report`.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { registerReportSource, type UseSource } from '../report/source.js'
import { readUsageRows } from '../store/checked-usage.js'
import { type OwnUsage, readWindow } from '../verbs/usage-gaps.js'
import type { Parts } from './parts.js'
import type { Watchword } from './watchword.js'

/** Offers the inventory and the readings of an authority to reports. */
export function offerReports(
  { authenticate, tokens, keys, health }: Watchword,
  parts: Parts,
): void {
  const { options, clock, index } = parts
  const own = parts.usage?.own
  registerReportSource(authenticate, {
    issuer: options.issuer,
    now: () => clock.now(),
    policy: (name) => options.policies.get(name),
    limits: (token) => index.registers.limits(token, clock.now()),
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
    window: (lengthMs) => readWindow(parts, own, lengthMs),
    rows: (ids, since) => parts.callStore(() => readUsageRows(own.part, ids, since - MAX_SKEW_MS)),
  }
}
