/**
 * What stops working when tokens are revoked.
 *
 * @module
 */
import { DAY } from '../lib/duration.js'
import { parseInput } from '../lib/schema.js'
import { UsageTotals } from '../verbs/usage-totals.js'
import { type ReportOptions, reportSchema, resolved } from './options.js'
import { type ReportedAuthority, sourceOf } from './source.js'
import { countOf, pagesOf, parseReportTarget, type ReportTarget } from './target.js'
import { Top } from './top.js'
import type { ImpactReport } from './types.js'
import { readUse, spanOf } from './use.js'

/**
 * Reports who uses the live tokens of a target, and how much: what a revocation of the same target would reject. Rejects
 * with `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { impact } from 'watchword/report'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * const { live, used, requestsPerDay, callers } = await impact(watchword, { subject: 'svc_billing' })
 * console.log(`${used} of ${live} tokens are in use by ${callers.length} callers: ${requestsPerDay} requests a day`)
 * await watchword.close()
 * ```
 */
export async function impact(
  authority: ReportedAuthority,
  target: ReportTarget,
  options: ReportOptions = {},
): Promise<ImpactReport> {
  const source = sourceOf(authority)
  const parsed = parseReportTarget(target)
  const { windowMs, limit, onProgress } = resolved(parseInput(reportSchema, options, 'options'))
  const { at, window, coverage } = await spanOf(source, windowMs)
  const total = await countOf(source, parsed)
  const totals = new UsageTotals()
  const top = new Top<{ readonly id: string; readonly requests: number }>(
    limit,
    (use) => use.requests,
  )
  let live = 0
  let used = 0
  for await (const page of pagesOf(source, parsed)) {
    live += page.length
    const uses = await readUse(source, page, window.from, (row) => totals.add(row))
    for (const [id, { requests }] of uses) {
      if (requests === 0) continue
      used++
      top.add({ id, requests })
    }
    onProgress({ done: live, total: Math.max(total, live) })
  }
  const { requests, firstUsedAt, lastUsedAt, scopes, callers, others } = totals.result(limit)
  const perDay = (requests * DAY) / windowMs
  return {
    kind: 'impact',
    issuer: source.issuer,
    at,
    window,
    coverage,
    live,
    used,
    usedIds: top.sorted().map(({ id }) => id),
    firstUsedAt,
    lastUsedAt,
    requests,
    requestsPerDay: perDay < 10 ? Math.round(perDay * 10) / 10 : Math.round(perDay),
    callers,
    otherRequests: others,
    scopes: scopes.map(({ scope, uses }) => ({ scope, uses })),
  }
}
