/**
 * Charts as inline SVG. Text is never inside of them, so it keeps its size on a narrow screen.
 *
 * @module
 */
import type { KeyInfo } from '../../keys/key-info.js'
import { date, whole } from '../text.js'
import type { Bar, DayUse } from '../types.js'
import { html, type Markup, NOTHING } from './markup.js'

const part = (value: number, total: number): number =>
  total === 0 ? 0 : Math.round((value / total) * 10_000) / 100

/** Horizontal bars with labels and counts. */
export function barChart(bars: readonly Bar[]): Markup {
  const most = Math.max(0, ...bars.map(({ count }) => count))
  return html`<div class="bars">${bars.map(
    ({ label, count }) => html`<span>${label}</span>
<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" y="4" width="100" height="2"/><rect class="fill" width="${part(count, most)}" height="10"/></svg>
<span class="count">${whole(count)}</span>`,
  )}</div>`
}

/** A column for each day: accepted requests, and rejected ones on top. */
export function dayChart(days: readonly DayUse[]): Markup {
  const most = Math.max(0, ...days.map(({ requests, refused }) => requests + refused))
  const [first, last] = [days[0], days.at(-1)]
  if (first === undefined || last === undefined) return NOTHING
  const columns = days.map(({ day, requests, refused }, i) => {
    const [accepted, rejected] = [part(requests, most), part(refused, most)]
    return html`<g><title>${date(day)}: ${whole(requests)} accepted, ${whole(refused)} rejected</title>
<rect class="fill" x="${i * 10 + 1}" y="${100 - accepted}" width="8" height="${accepted}"/><rect class="bad" x="${i * 10 + 1}" y="${100 - accepted - rejected}" width="8" height="${rejected}"/></g>`
  })
  const label = `Requests per day from ${date(first.day)} to ${date(last.day)}, at most ${whole(most)}`
  return html`<div class="days"><svg viewBox="0 0 ${days.length * 10} 100" preserveAspectRatio="none" role="img" aria-label="${label}">${columns}</svg>
<div class="axis"><span>${date(first.day)}</span><span>at most ${whole(most)} a day</span><span>${date(last.day)}</span></div></div>`
}

/** For each key, when it seals tokens and when it only verifies them. */
export function keyChart(keys: readonly KeyInfo[], now: number): Markup {
  const from = Math.min(now, ...keys.map(({ activatesAt }) => activatesAt))
  const to = Math.max(now, ...keys.map(({ expiresAt }) => expiresAt))
  const at = (time: number): number => part(time - from, to - from)
  const rows = keys.map(
    ({ id, audience, generation, state, activatesAt, retiresAt, expiresAt }) => {
      const label = `${audience}, generation ${generation}: seals from ${date(activatesAt)} to ${date(retiresAt)}, verifies until ${date(expiresAt)}`
      return html`<span><code>${id.slice(0, 14)}…</code> ${audience} <span class="soft">${state}</span></span>
<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="${label}"><title>${label}</title><rect class="rest" y="4" width="100" height="2"/><rect class="fill" x="${at(activatesAt)}" width="${at(retiresAt) - at(activatesAt)}" height="10"/><rect class="later" x="${at(retiresAt)}" width="${at(expiresAt) - at(retiresAt)}" height="10"/><rect class="now" x="${Math.min(99.7, at(now))}" width="0.3" height="10"/></svg>`
    },
  )
  return html`<div class="strip">${rows}</div>
<div class="axis"><span>${date(from)}</span><span>now ${date(now)}</span><span>${date(to)}</span></div>`
}
