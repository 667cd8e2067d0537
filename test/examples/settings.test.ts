/** Programs for production, started without one of their settings: they must not use a local server instead. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { bundled } from './programs.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAMS = ['express-server.ts', 'express-postgres-redis.ts']
// No server listens on port 1, so a program that goes on fails with another message.
const SETTINGS: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://127.0.0.1:1/none',
  REDIS_URL: 'redis://127.0.0.1:1',
  ROOT_KEY: 'k4.local.none',
}
const cases = PROGRAMS.flatMap((program) => [
  ...Object.keys(SETTINGS).map((name) => [program, name, 'unset'] as const),
  [program, 'ROOT_KEY', 'empty'] as const,
])

describe('the examples for production', () => {
  const bundleOf = bundled(PROGRAMS)

  it.each(cases)('%s stops and names %s when it is %s', (program, name, state) => {
    const { [name]: _, ...others } = SETTINGS
    const env = { ...process.env, ...others, ...(state === 'empty' ? { [name]: '' } : {}) }
    if (state === 'unset') delete env[name]
    const ended = spawnSync(process.execPath, [bundleOf(program)], {
      cwd: root,
      env,
      encoding: 'utf8',
    })
    expect(ended.status).toBe(1)
    expect(ended.stderr).toMatch(new RegExp(`^Error: set .*\\b${name}\\b`, 'm'))
    expect(ended.stderr).not.toContain('ECONNREFUSED')
  })

  it('and the snippets of the pages pass on no setting that is unset', () => {
    const pages = readdirSync(`${root}/examples`, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.(ts|md)$/.test(path))
      .map((path) => `examples/${path}`)
    const lax = ['README.md', ...pages].flatMap((path) =>
      [
        ...readFileSync(`${root}/${path}`, 'utf8').matchAll(
          /\b(?:DATABASE_URL|REDIS_URL|ROOT_KEY)\b(?:'\] \?\?| =) ''/g,
        ),
      ].map(([text]) => `${path}: ${text}`),
    )
    expect(lax).toEqual([])
  })
})
