/**
 * The section of needed scopes.
 *
 * @module
 */
import { whole } from '../text.js'
import type { MinimiseReport, TokenNeed } from '../types.js'
import { coverageText } from './coverage.js'
import { html, type Markup, NOTHING } from './markup.js'

const MAX_TOKENS = 200

/** What the tokens need, together and one by one. */
export function minimiseSection(report: MinimiseReport): Markup {
  const shown = report.tokens.slice(0, MAX_TOKENS)
  const more =
    report.live > shown.length
      ? html`<p class="soft">and ${whole(report.live - shown.length)} more</p>`
      : NOTHING
  return html`<section aria-label="Needed scopes"><h2>Needed scopes</h2>
${coverageText(report.coverage, report.window)}
<p>Live tokens: ${whole(report.live)}. Together they need: ${proposalText(report.proposal)}</p>
${shown.map(need)}${more}
</section>`
}

const scopes = (list: readonly string[]): Markup =>
  list.length === 0 ? html`none` : html`<code>${list.join(' ')}</code>`

const proposalText = (proposal: readonly string[] | null): Markup =>
  proposal === null ? html`<span class="warn">not known</span>` : scopes(proposal)

function need({ id, subject, granted, proposal, lost }: TokenNeed): Markup {
  return html`<details><summary><code>${id}</code> ${subject}</summary>
<div class="finding"><p>Has: ${scopes(granted)}</p><p>Needs: ${proposalText(proposal)}</p>
<p>Would lose: ${scopes(lost)}</p></div></details>`
}
