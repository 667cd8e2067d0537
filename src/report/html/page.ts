/**
 * One self-contained page with reports. It needs no script, and its policy forbids one.
 *
 * @module
 */
import { invalidArgument } from '../../lib/invalid.js'
import { describe } from '../../lib/quote.js'
import { minute } from '../text.js'
import type { Report } from '../types.js'
import { impactSection } from './impact.js'
import { html, type Markup } from './markup.js'
import { minimiseSection } from './minimise.js'
import { sprawlSection } from './sprawl.js'
import { STYLE } from './style.js'

/**
 * Renders reports as one HTML page: self-contained, readable without scripts, in light and dark. Every text of a token is
 * escaped, but the page names subjects, owners and callers: serve it to operators only. Throws `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises'
 * import { createWatchword } from 'watchword'
 * import { renderHtml, sprawl } from 'watchword/report'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * await writeFile('tokens.html', renderHtml([await sprawl(watchword)]))
 * await watchword.close()
 * ```
 */
export function renderHtml(reports: readonly Report[]): string {
  const [first] = Array.isArray(reports) ? reports : []
  if (first === undefined)
    throw invalidArgument(
      'reports',
      `expected a list of at least one report, got ${describe(reports)}`,
    )
  const sections = reports.map(section)
  const title = `Tokens of ${first.issuer}`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${title}</h1><p class="soft">${minute(first.at)}</p></header>
<main>${sections}</main>
</body>
</html>
`.toString()
}

function section(report: Report): Markup {
  switch (report.kind) {
    case 'sprawl':
      return sprawlSection(report)
    case 'minimise':
      return minimiseSection(report)
    case 'impact':
      return impactSection(report)
    default:
      throw invalidArgument(
        'reports',
        `expected results of sprawl, minimise or impact, got ${describe((report as { kind?: unknown } | undefined)?.kind)}`,
      )
  }
}
