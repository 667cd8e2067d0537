/**
 * The section of the inventory.
 *
 * @module
 */
import { RISKS } from '../judge.js'
import { whole } from '../text.js'
import type { Bar, Finding, FindingKind, Risk, SprawlReport } from '../types.js'
import { barChart, dayChart, keyChart } from './charts.js'
import { coverageText } from './coverage.js'
import { html, type Markup, NOTHING } from './markup.js'

/** Findings of each kind, and bars of each chart, that the page shows. */
const MAX_FINDINGS = 50
const MAX_BARS = 12

const TITLES: Readonly<Record<FindingKind, string>> = {
  never_used: 'Never used',
  idle: 'Idle',
  over_scoped: 'More scopes than needed',
  long_lived: 'Long-lived',
  overdue_rotation: 'Overdue for rotation',
  too_many: 'Many tokens of one subject',
  old_policy: 'Outdated policy',
  old_key: 'Old key',
  restricted: 'Restricted',
  no_owner: 'Without an owner',
  unknown: 'Use not known',
}

const CLASSES: Readonly<Record<Risk, string>> = { high: 'bad', medium: 'warn', low: 'soft' }

/** The inventory: totals, findings, charts, keys and the node. */
export function sprawlSection(report: SprawlReport): Markup {
  return html`<section aria-label="Inventory">
${coverageText(report.coverage, report.window)}
${tiles(report)}
<h2>Findings</h2>
${findings(report)}
<h2>Inventory</h2>
<div class="pair">
${card('Live tokens by policy', barChart(shortened(report.policies, 'other policies')))}
${card('Live tokens by owner', barChart(shortened(report.owners, 'other owners')))}
${card('Age', barChart(report.ages))}
${card('Time left', barChart(report.expiries))}
</div>
${report.days.length === 0 ? NOTHING : html`<h2>Requests per day</h2>${card('Accepted, and rejected with an authentic token', dayChart(report.days))}`}
<h2>Keys</h2>
${card('When each key seals tokens, and how long it verifies them', keyChart(report.keys, report.at))}
<h2>Freshness</h2>
${fleet(report)}
</section>`
}

const card = (title: string, content: Markup): Markup =>
  html`<div class="card"><h3>${title}</h3>${content}</div>`

function shortened(bars: readonly Bar[], others: string): readonly Bar[] {
  if (bars.length <= MAX_BARS) return bars
  const rest = bars.slice(MAX_BARS).reduce((sum, { count }) => sum + count, 0)
  return [...bars.slice(0, MAX_BARS), { label: others, count: rest }]
}

function tiles({ tokens, counts }: SprawlReport): Markup {
  const byRisk = (risk: Risk) =>
    (Object.keys(RISKS) as FindingKind[])
      .filter((kind) => RISKS[kind] === risk)
      .reduce((sum, kind) => sum + counts[kind], 0)
  const tile = (label: string, count: number, kind = '') =>
    html`<div class="tile"><b class="${count === 0 ? '' : kind}">${whole(count)}</b>${label}</div>`
  return html`<div class="tiles">
${tile('live tokens', tokens.live)}${tile('stored tokens', tokens.stored)}
${tile('urgent findings', byRisk('high'), 'bad')}${tile('findings to plan', byRisk('medium'), 'warn')}
${tile('notes', byRisk('low'))}${tile('edited or corrupt rows', tokens.corrupt, 'bad')}
</div>`
}

function findings({ counts, findings: found }: SprawlReport): Markup {
  const kinds = (Object.keys(RISKS) as FindingKind[]).filter((kind) => counts[kind] > 0)
  if (kinds.length === 0) return html`<p class="good">None.</p>`
  return html`${kinds.map((kind) => group(kind, counts[kind], found))}`
}

function group(kind: FindingKind, count: number, all: readonly Finding[]): Markup {
  const shown = all.filter((each) => each.kind === kind).slice(0, MAX_FINDINGS)
  const more =
    count > shown.length
      ? html`<div class="finding soft">and ${whole(count - shown.length)} more</div>`
      : NOTHING
  return html`<details><summary><b class="${CLASSES[RISKS[kind]]}">${whole(count)}</b> ${TITLES[kind]}</summary>
${shown.map(item)}${more}</details>`
}

function item({ id, subject, policy, owner, evidence, remedy }: Finding): Markup {
  const owned = owner === null ? '' : `, owner ${owner}`
  return html`<div class="finding"><p><code>${id}</code> ${subject} <span class="soft">policy ${policy}${owned}</span></p>
<p>${capital(evidence)}. <span class="soft">${capital(remedy)}.</span></p></div>`
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

function fleet({
  fleet: { node, status, freshnessMs, maxStalenessMs, lag, incidents },
}: SprawlReport) {
  const proved = Number.isFinite(freshnessMs)
    ? `freshness proved ${whole(freshnessMs)} ms ago, at most ${whole(maxStalenessMs)} ms allowed`
    : 'freshness never proved'
  const noted = Object.entries(incidents).map(([kind, count]) => `${kind} ${whole(count)}`)
  return html`<div class="card"><p>Node ${node}: <b class="${status === 'live' ? 'good' : 'bad'}">${status}</b>, ${proved}, ${whole(lag)} events behind.</p>
<p class="soft">${noted.length === 0 ? 'No incidents of the feed.' : `Incidents of the feed: ${noted.join(', ')}.`}</p></div>`
}
