/**
 * The reference tables: read from the doc comments of the sources, so that they cannot drift from the code.
 *
 * `npm run reference` writes `.github/REFERENCE.md` and `llms.txt`; a test fails while a file differs from what this
 * writes.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { exportedCodes, exportedInterfaces, rowsOf, unionsWithin } from './doc-comments.js'
import { entries } from './entries.js'
import { LLMS_FILE, llmsPage } from './llms.js'
import { CALLS } from './reference/calls.js'
import { OBSERVED } from './reference/observed.js'
import { REPORTS } from './reference/reports.js'
import type { Section } from './reference/section.js'

const root = fileURLToPath(new URL('..', import.meta.url))

const SECTIONS: readonly Section[] = [...CALLS, ...REPORTS, ...OBSERVED]

/** The unions of codes that the package exports and the page does not list. */
export function unlistedCodes(): readonly string[] {
  const listed = new Set(SECTIONS.flatMap(({ file, symbol }) => unionsWithin(file, symbol)))
  const exported = new Set(entries.flatMap(({ source }) => exportedCodes(source)))
  return [...exported].filter((name) => !listed.has(name))
}

// What an error is made of, which only adapters make.
const NOT_FOR_CALLERS: ReadonlySet<string> = new Set(['WatchwordErrorOptions'])

/** The options, queries and reports that the package exports and the page does not list. */
export function unlistedInterfaces(): readonly string[] {
  const listed = new Set(SECTIONS.map(({ symbol }) => symbol))
  const exported = ['src/index.ts', 'src/report/index.ts'].flatMap(exportedInterfaces)
  return exported.filter(
    (name) =>
      /(?:Options|Query|Report)$/.test(name) && !listed.has(name) && !NOT_FOR_CALLERS.has(name),
  )
}

const cell = (text: string): string => text.replace(/\|/g, '\\|')

function tableOf(section: Section): string {
  const rows = rowsOf(section.file, section.symbol)
  const names = rows.map(({ name }) => `\`${section.prefix ?? ''}${name}\``)
  const lines = section.defaults
    ? [
        '| name | default | meaning |',
        '| --- | --- | --- |',
        ...rows.map(
          ({ fallback, text }, i) => `| ${names[i]} | ${cell(fallback)} | ${cell(text)} |`,
        ),
      ]
    : [
        '| name | meaning |',
        '| --- | --- |',
        ...rows.map(({ text }, i) => `| ${names[i]} | ${cell(text)} |`),
      ]
  const intro = section.intro === undefined ? [] : [section.intro, '']
  return [`## ${section.title}`, '', ...intro, ...lines].join('\n')
}

/** The complete page. */
export function referencePage(): string {
  const head = [
    '# Reference',
    '',
    'Generated from the doc comments of the sources by `npm run reference`. Do not edit it by hand.',
  ].join('\n')
  return `${[head, ...SECTIONS.map(tableOf)].join('\n\n')}\n`
}

/** The path of the page. */
export const REFERENCE_FILE = `${root}.github/REFERENCE.md`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(REFERENCE_FILE, referencePage())
  writeFileSync(LLMS_FILE, llmsPage())
}
