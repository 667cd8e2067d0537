/**
 * What a report knows about the use of tokens, in words.
 *
 * @module
 */
import { date, interval } from '../text.js'
import type { Coverage, Interval } from '../types.js'
import { html, type Markup } from './markup.js'

const MAX_SHOWN = 10

/** The window, and the nodes and intervals of which the use is not known. */
export function coverageText({ complete, kept, gaps }: Coverage, { from, to }: Interval): Markup {
  const window = `Use from ${date(from)} to ${date(to)}`
  if (!kept) return html`<p class="warn">${window} is not known: the store does not keep usage.</p>`
  if (complete) return html`<p class="good">${window} is known completely.</p>`
  const shown = gaps.slice(0, MAX_SHOWN)
  const more =
    gaps.length > shown.length ? [html`<li>and ${gaps.length - shown.length} more</li>`] : []
  return html`<div class="warn"><p>${window} is not known completely. Missing:</p>
<ul>${shown.map((gap) => html`<li>${gap.node === null ? 'all nodes' : `node ${gap.node}`}, ${interval(gap)}</li>`)}${more}</ul></div>`
}
