/**
 * The page of reports, read with an HTML parser.
 *
 * @module
 */
import { describe, expect, it } from 'vitest'
import { type Report, renderHtml, type SprawlReport } from 'watchword/report'
import { dayChart } from '../../../src/report/html/charts.js'
import { codeOf } from '../../support/harness.js'
import { IMPACT, MINIMISE, sprawlReport } from '../../support/reports.js'

const page = (...reports: readonly Report[]): string => renderHtml(reports)
const tagsOf = (text: string): string[] =>
  [...text.matchAll(/<([a-z0-9]+)/g)].map(([, tag]) => tag ?? '')

/** The text of a page as a browser shows it: values are escaped, so every `<` begins a tag. */
const textOf = (markup: string): string =>
  markup
    .replace(/<style>.*?<\/style>/gs, '')
    .replace(/<[^>]*>/g, '')
    .replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => CHARACTERS[name] ?? '')

const CHARACTERS: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  amp: '&',
}

describe('renderHtml', () => {
  it('makes a page that allows no script and loads nothing', () => {
    const text = page(sprawlReport(), MINIMISE, IMPACT)
    expect(text).toContain(
      `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    )
    for (const tag of ['script', 'img', 'link', 'iframe', 'a'])
      expect(tagsOf(text)).not.toContain(tag)
    expect(text).not.toMatch(/\s(?:src|href|on\w+)=/)
  })

  it('shows texts of tokens as text, also if they contain markup', () => {
    const subject = `</details><script>alert(1)</script><img src=x onerror=alert(1)>"'&amp;`
    const [finding] = sprawlReport().findings
    const report = { ...sprawlReport(), findings: [{ ...finding, subject, owner: subject }] }
    const text = page(report as SprawlReport)
    expect(tagsOf(text)).not.toContain('img')
    expect(tagsOf(text)).not.toContain('script')
    expect(textOf(text)).toContain(`${subject} policy service, owner ${subject}`)
  })

  it('replaces control characters and marks of direction', () => {
    const [finding] = sprawlReport().findings
    const subject = 'a\u202eb\u0000c\ud800'
    const report = { ...sprawlReport(), findings: [{ ...finding, subject }] }
    expect(textOf(page(report as unknown as SprawlReport))).toContain('a\ufffdb\ufffdc\ufffd')
  })

  it('shows at most fifty findings of a kind, and how many more there are', () => {
    const [finding] = sprawlReport().findings
    if (finding === undefined) throw new Error('no finding')
    const findings = Array.from({ length: 60 }, () => finding)
    const report = { ...sprawlReport(), findings, counts: { ...sprawlReport().counts, idle: 1234 } }
    const text = textOf(page(report))
    expect(text).toContain('1,234 Idle')
    expect(text).toContain('and 1,184 more')
  })

  it('says what is known about the use of tokens', () => {
    const base = sprawlReport()
    const textWith = (coverage: SprawlReport['coverage']) => textOf(page({ ...base, coverage }))
    expect(textWith({ complete: true, kept: true, gaps: [] })).toContain('is known completely.')
    expect(textWith({ complete: false, kept: false, gaps: [] })).toContain('does not keep usage')
    const gaps = Array.from({ length: 12 }, (_, i) => ({ node: `web-${i}`, from: 0, to: 60_000 }))
    const partial = textWith({ complete: false, kept: true, gaps })
    expect(partial).toContain('node web-9, from 1970-01-01 00:00 UTC to 1970-01-01 00:01 UTC')
    expect(partial).toContain('and 2 more')
    expect(partial).not.toContain('web-10')
    const all = [{ node: null, from: 0, to: 60_000 }]
    expect(textWith({ complete: false, kept: true, gaps: all })).toContain('all nodes, from 1970')
  })

  it('shows an inventory without tokens, findings and incidents', () => {
    const empty = { ...sprawlReport(), findings: [], policies: [], owners: [], days: [] }
    const counts = Object.fromEntries(Object.keys(empty.counts).map((kind) => [kind, 0]))
    const text = textOf(page({ ...empty, counts } as unknown as SprawlReport))
    expect(text).toContain('None.')
    expect(text).not.toContain('Requests per day')
  })

  it('shows days without requests, bars without tokens and callers without an address', () => {
    const base = sprawlReport(0)
    const days = base.days.map(({ day }) => ({ day, requests: 0, refused: 0 }))
    expect(textOf(page({ ...base, days }))).toContain('at most 0 a day')
    expect(String(dayChart([]))).toBe('')
    const [caller] = IMPACT.callers
    if (caller === undefined) throw new Error('no caller')
    const callers = [{ ...caller, address: '', route: '', userAgent: '' }]
    expect(textOf(page({ ...IMPACT, callers }))).toContain('unknown address')
  })

  it('says that freshness was never proved', () => {
    const base = sprawlReport()
    const fleet = {
      ...base.fleet,
      status: 'stale' as const,
      freshnessMs: Infinity,
      incidents: { gap: 2 },
    }
    const text = textOf(page({ ...base, fleet }))
    expect(text).toContain('freshness never proved')
    expect(text).toContain('Incidents of the feed: gap 2.')
  })

  it('shows what a proposal would take away, and where none is possible', () => {
    const text = textOf(page(MINIMISE))
    expect(text).toContain('Has: orders:read orders:write')
    expect(text).toContain('Needs: orders:read')
    expect(text).toContain('Would lose: orders:write')
    const [token] = MINIMISE.tokens
    if (token === undefined) throw new Error('no token')
    const unknown = {
      ...MINIMISE,
      live: 2,
      proposal: null,
      tokens: [{ ...token, proposal: null, lost: [] }],
    }
    const shown = textOf(page(unknown))
    expect(shown).toContain('Together they need: not known')
    expect(shown).toContain('and 1 more')
  })

  it('shows callers, and the requests of all others together', () => {
    const text = textOf(page(IMPACT))
    expect(text).toContain('10.0.0.7, /orders/:id, curl/8')
    expect(text).toMatch(/other callers\s+40/)
    const unused = {
      ...IMPACT,
      firstUsedAt: null,
      lastUsedAt: null,
      requestsPerDay: 0.3,
      callers: [],
      otherRequests: 0,
    }
    const shown = textOf(page(unused))
    expect(shown).toContain('No use is recorded.')
    expect(shown).toContain('0.3requests a day')
  })

  it.each([[[]], [undefined], ['page'], [[{ kind: 'other' }]], [[undefined]]])(
    'rejects %j',
    async (reports) => {
      expect(await codeOf(async () => renderHtml(reports as never))).toBe('ERR_INVALID_ARGUMENT')
    },
  )
})
