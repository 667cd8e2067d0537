/**
 * The page of reports in a real browser: light and dark, narrow and wide, with few tokens and with many.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { renderHtml } from 'watchword/report'
import { findChromium, type Page, withPage } from '../support/browser.js'
import { IMPACT, MINIMISE, sprawlReport } from '../support/reports.js'

const chromium = findChromium()
if (chromium === undefined)
  console.log(
    'skipped: the page of reports in a browser; install Chromium, or set WATCHWORD_CHROMIUM',
  )

const folder = mkdtempSync(join(tmpdir(), 'watchword-report-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LIGHT = 'rgb(255, 255, 255)'
const DARK = 'rgb(13, 17, 23)'

/** The elements whose content is wider than they are, or that reach beyond the window. */
const TOO_WIDE = `[...document.body.querySelectorAll('*')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => each.outerHTML.slice(0, 80))`

async function look(page: Page, width: number, scheme: 'light' | 'dark'): Promise<void> {
  const size = { width, height: 900, deviceScaleFactor: 1, mobile: false }
  await page.call('Emulation.setDeviceMetricsOverride', size)
  const features = [{ name: 'prefers-color-scheme', value: scheme }]
  await page.call('Emulation.setEmulatedMedia', { features })
  await page.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
  expect(await page.evaluate('innerWidth')).toBe(width)
  expect(await page.evaluate('document.scrollingElement.scrollWidth')).toBeLessThanOrEqual(width)
  expect(await page.evaluate(TOO_WIDE)).toEqual([])
  const background = await page.evaluate('getComputedStyle(document.body).backgroundColor')
  expect(background).toBe(scheme === 'light' ? LIGHT : DARK)
}

describe.skipIf(chromium === undefined)('the page of reports', () => {
  it.each([0, 10, 100_000])('fits every screen and scheme with %i tokens', async (live) => {
    const file = join(folder, `${live}.html`)
    const base = sprawlReport(live)
    const [finding] = base.findings
    if (finding === undefined) throw new Error('no finding')
    const long = { ...finding, subject: 'x'.repeat(1024), owner: 'o'.repeat(256) }
    const findings = live === 0 ? [] : Array.from({ length: Math.min(live, 1000) }, () => long)
    const counts = { ...base.counts, idle: live }
    writeFileSync(file, renderHtml([{ ...base, findings, counts }, MINIMISE, IMPACT]))
    await withPage(chromium ?? '', async (page) => {
      await page.open(pathToFileURL(file).href)
      for (const width of [400, 1400])
        for (const scheme of ['light', 'dark'] as const) await look(page, width, scheme)
      expect(await page.evaluate('document.querySelector("h1").textContent')).toBe(
        'Tokens of https://auth.acme.example',
      )
      expect(page.logged).toEqual([])
    })
  })

  it('runs no script that got into it', async () => {
    const file = join(folder, 'script.html')
    const text = renderHtml([sprawlReport()])
    const injected =
      '<script>document.title = "run"</script><img src=x onerror="document.title = 1">'
    writeFileSync(file, text.replace('</main>', `${injected}</main>`))
    await withPage(chromium ?? '', async (page) => {
      await page.open(pathToFileURL(file).href)
      expect(await page.evaluate('document.title')).toBe('Tokens of https://auth.acme.example')
      expect(page.logged.join('\n')).toContain('Content Security Policy')
    })
  })
})
