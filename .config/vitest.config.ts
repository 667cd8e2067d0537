import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { entries } from './entries.js'

const root = fileURLToPath(new URL('..', import.meta.url))
// Set by .ci/run, which counts from it; unset, a partial run on a developer's machine overwrites nobody's results.
const results = process.env['WATCHWORD_TEST_RESULTS']

export default defineConfig({
  root,
  resolve: {
    // Examples import the package by its name; in the tests that name means the sources.
    alias: entries.map(({ specifier, source }) => ({
      find: new RegExp(`^${specifier}$`),
      replacement: root + source,
    })),
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    // The memory tests collect garbage before they measure.
    execArgv: ['--expose-gc'],
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
  },
})
