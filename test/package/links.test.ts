/** What the pages of the repository point to: files, headings and source paths. */
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT, trackedFiles } from './repository.js'

const read = (path: string): string => readFileSync(`${ROOT}/${path}`, 'utf8')
const pages = trackedFiles().filter((path) => path.endsWith('.md'))

/** A page without its blocks of code, in which a `#` or a bracket is something else. */
const prose = (page: string): string => read(page).replace(/^```.*?^```$/gms, '')

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** The links of a page that stay in the repository: path and anchor, either of which may be empty. */
function linksOf(page: string): (readonly [path: string, anchor: string])[] {
  return [...prose(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(
    ([, path = '', anchor = '']) => [
      path === '' ? page : posix.join(posix.dirname(page), path),
      anchor,
    ],
  )
}

describe('the pages of the repository', () => {
  it('are found', () => {
    expect(pages).toEqual(expect.arrayContaining(['README.md', '.github/ARCHITECTURE.md']))
  })

  it.each(pages)('%s links only to files and headings that exist', (page) => {
    const broken = linksOf(page).filter(([path, anchor]) => {
      if (!existsSync(`${ROOT}/${path}`)) return true
      return anchor !== '' && !anchorsOf(path).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it.each(pages)('%s names only source files and folders that exist', (page) => {
    // A name with a placeholder, such as `src/store/<name>.ts`, is a pattern.
    const named = [...read(page).matchAll(/(?<![\w/.])(?:src|test|bench|examples)\/[\w./*<{-]+/g)]
    const paths = named
      .map(([path]) => path.replace(/[.]$/, ''))
      .filter((path) => !/[*<{]/.test(path))
    expect(paths.filter((path) => !existsSync(`${ROOT}/${path}`))).toEqual([])
  })
})
