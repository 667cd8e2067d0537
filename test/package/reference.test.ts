import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LLMS_FILE, llmsPage } from '../../.config/llms.js'
import {
  REFERENCE_FILE,
  referencePage,
  unlistedCodes,
  unlistedInterfaces,
} from '../../.config/reference.js'
import { manifest, ROOT, trackedFiles } from './repository.js'

describe('the reference page', () => {
  it('is what npm run reference writes from the doc comments', () => {
    expect(readFileSync(REFERENCE_FILE, 'utf8')).toBe(referencePage())
  })

  it('describes every member that it lists', () => {
    const empty = referencePage()
      .split('\n')
      .filter((line) => /^\| `.*\|\s*\|$/.test(line))
    expect(empty).toEqual([])
  })

  it('lists every union of codes that the package exports', () => {
    expect(unlistedCodes()).toEqual([])
  })

  it('lists the options, queries and reports that the package exports', () => {
    expect(unlistedInterfaces()).toEqual([])
  })

  it('lists the members of the unions that a union names', () => {
    const page = referencePage()
    for (const code of ['token.superseded', 'key.unreadable', 'feed.<IncidentKind>', 'damaged'])
      expect(page).toContain(`| \`${code}\` |`)
    expect(page).not.toContain('| `FeedIncidentKind` |')
  })
})

describe('llms.txt', () => {
  const page = llmsPage()

  it('is what npm run reference writes', () => {
    expect(readFileSync(LLMS_FILE, 'utf8')).toBe(page)
  })

  it('has the format of llmstxt.org: a title, a summary, and sections of links alone', () => {
    const [head = '', ...sections] = page.split(/^## .*\n/m)
    expect(head).toMatch(/^# watchword\n\n> .+\n\n[^#]/)
    expect(sections.length).toBeGreaterThan(3)
    const others = sections.flatMap((section) =>
      section.split('\n').filter((line) => line !== '' && !/^- \[.+\]\(.+\): .+/.test(line)),
    )
    expect(others).toEqual([])
  })

  it('links to every guide, and only to files of the package', () => {
    const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, path = '']) => path)
    const published = (path: string): boolean =>
      manifest.files.some((entry) => path === entry || path.startsWith(`${entry}/`))
    expect(links.filter((path) => !published(path) || !trackedFiles().includes(path))).toEqual([])
    const guides = trackedFiles().filter((path) => /^examples\/[^/]+\.md$/.test(path))
    const missing = guides.filter((path) => !links.includes(path))
    expect(missing).toEqual(['examples/README.md'])
  })

  it('describes every import, function, verb and option that it lists', () => {
    const undescribed = page.split('\n').filter((line) => /^ *- .*: *$/.test(line))
    expect(undescribed).toEqual([])
  })
})

describe('the threat table', () => {
  it('names only tests that exist', () => {
    const page = readFileSync(`${ROOT}/.github/SECURITY.md`, 'utf8')
    const named = [...page.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, path = '']) => path)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((path) => !trackedFiles().includes(path))).toEqual([])
  })
})
