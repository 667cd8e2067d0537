import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bundled } from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
// Two are there to be imported: use-custom-store.ts and use-custom-feed.ts run them, and the contracts hold them to account.
// Two listen until they are stopped, and have tests of their own.
const NOT_RUN_HERE = new Set([
  'custom-store.ts',
  'custom-feed.ts',
  'express-server.ts',
  'express-postgres-redis.ts',
])
const all = readdirSync(`${root}/examples`, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.(ts|md)$/.test(path))
const files = all.filter((path) => /^[^/]+\.ts$/.test(path) && !NOT_RUN_HERE.has(path))
const guides = all.filter((path) => path.endsWith('.md') && path !== 'README.md')

describe('the examples', () => {
  const bundleOf = bundled(files)

  it('are there', () => {
    expect(files).toEqual(expect.arrayContaining(['demo.ts', 'quickstart.ts']))
  })

  it.concurrent.each(files)('%s runs, and shows something', async (name) => {
    // Rejects when the exit code is not 0, with what was printed to standard error in the message.
    const { stdout } = await run(process.execPath, [bundleOf(name)], { cwd: root })
    expect(stdout.trim()).not.toBe('')
    // No terminal, no colours.
    expect(stdout).not.toContain('\u001b[')
    if (name !== 'demo.ts') return
    // The demo is to be read at a glance, on one screen.
    const lines = stdout.trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(24)
    expect(lines.filter((line) => line.length > 80)).toEqual([])
  })
})

describe('examples/README.md', () => {
  const linksOf = (page: string): string[] =>
    [
      ...readFileSync(`${root}/examples/${page}`, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g),
    ].map(([, path = '']) => path)

  it('links to every program and every guide, once', () => {
    const listed = linksOf('README.md').sort()
    expect(listed).toEqual(all.filter((path) => path !== 'README.md').sort())
  })

  it.each(guides)('%s links only to files that exist', (page) => {
    const links = linksOf(page)
    for (const link of links) {
      const path = fileURLToPath(new URL(link, `file://${root}/examples/${page}`))
      expect(() => readFileSync(path), `${page}: ${link}`).not.toThrow()
    }
  })
})
