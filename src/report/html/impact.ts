/**
 * The section of what a revocation would stop.
 *
 * @module
 */
import { minute, whole } from '../text.js'
import type { Caller, ImpactReport } from '../types.js'
import { barChart } from './charts.js'
import { coverageText } from './coverage.js'
import { html, type Markup } from './markup.js'

const MAX_BARS = 25

/** Totals, callers and scopes. */
export function impactSection(report: ImpactReport): Markup {
  const { live, used, requests, requestsPerDay, firstUsedAt, lastUsedAt, callers, scopes } = report
  const times =
    firstUsedAt === null || lastUsedAt === null
      ? 'No use is recorded.'
      : `Used from ${minute(firstUsedAt)} to ${minute(lastUsedAt)}.`
  const named = callers
    .slice(0, MAX_BARS)
    .map((caller) => ({ label: nameOf(caller), count: caller.requests }))
  const shown = named.reduce((sum, { count }) => sum + count, 0)
  const all = callers.reduce((sum, caller) => sum + caller.requests, report.otherRequests)
  const others = all > shown ? [{ label: 'other callers', count: all - shown }] : []
  return html`<section aria-label="Impact of a revocation"><h2>What a revocation would reject</h2>
${coverageText(report.coverage, report.window)}
<div class="tiles">
<div class="tile"><b>${whole(live)}</b>live tokens</div><div class="tile"><b>${whole(used)}</b>in use</div>
<div class="tile"><b>${whole(requests)}</b>requests</div><div class="tile"><b>${requestsPerDay < 10 ? requestsPerDay : whole(requestsPerDay)}</b>requests a day</div>
</div>
<p>${times}</p>
<div class="pair"><div class="card"><h3>Callers</h3>${barChart([...named, ...others])}</div>
<div class="card"><h3>Required scopes</h3>${barChart(scopes.slice(0, MAX_BARS).map(({ scope, uses }) => ({ label: scope, count: uses })))}</div></div>
</section>`
}

function nameOf({ address, route, userAgent }: Caller): string {
  const parts = [address || 'unknown address', route, userAgent].filter((part) => part !== '')
  return parts.join(', ')
}
