import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { REFERENCE_FILE, referencePage, unlistedCodes } from '../../.config/reference.js'
import { ROOT, trackedFiles } from './repository.js'

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

  it('lists the members of the unions that a union names', () => {
    const page = referencePage()
    for (const code of ['token.superseded', 'key.unreadable', 'feed.<IncidentKind>', 'damaged'])
      expect(page).toContain(`| \`${code}\` |`)
    expect(page).not.toContain('| `FeedIncidentKind` |')
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
