import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { entries } from './entries.js'

const root = fileURLToPath(new URL('..', import.meta.url))
// Set by .ci/run, which counts from it; unset, a partial run on a developer's machine leaves the file alone.
const results = process.env['WATCHWORD_TEST_RESULTS']

/** Contracts of the adapters that run in this process. */
const IN_PROCESS = 'test/contract/{memory,sqlite,pglite}-*.test.ts'

/** Adapters of the examples, and mutants that the kits must catch. */
const KITS = ['test/contract/custom-*.test.ts', 'test/contract/*-mutants.test.ts']

/** What a framework does with a request that is broken, unread or hostile; `http` has the table of all replies. */
const HOSTILE_HTTP = ['test/http/{faults,pollution,unread}.test.ts']

/** The examples, as programs of their own. */
const PROGRAMS = ['test/examples/{examples,settings}.test.ts']

/** Tests that take too long for the fast groups. */
const LONG = [
  'test/property/observe/audit/attacks.test.ts',
  'test/unit/revocation/follower/{agreed-time,witness}.test.ts',
  'test/unit/revocation/index/large-index.test.ts',
]

/** The tests of which the fast groups run only a part: see `test/support/runs.ts`. */
const THOROUGH = [
  ...LONG,
  'test/property/**/*.test.ts',
  'test/unit/revocation/follower/puller.test.ts',
  'test/unit/verbs/issue.test.ts',
]

const SHARED = ['unit', 'vectors', 'types', 'property', 'http']

/** What a test changes or watches in its process, or in modules that others share with it: warnings are given once. */
const CHANGES_ITS_PROCESS =
  /\bvi\.(?:doMock|mock|resetModules|useFakeTimers|stub\w+)\b|\bemitWarning\b|\bprocess\.(?:env|on|chdir)\b|\b(?:globalThis|prototype)\b.* = |\bspyOn\((?:process|globalThis|Date|Math|performance|console)\b|\bdefineProperty\(\w+\.prototype|\blibsodium\(\)/

/** Tests of the shared groups that need a process of their own. */
const ALONE = SHARED.flatMap((folder) =>
  readdirSync(`${root}test/${folder}`, { recursive: true, encoding: 'utf8' })
    .map((path) => `test/${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => CHANGES_ITS_PROCESS.test(readFileSync(root + path, 'utf8'))),
)

/**
 * The groups of tests. `npm test` runs those without `full:`: they need no server and no long wait. `npm run test:full`
 * runs the others.
 */
const GROUPS: Readonly<
  Record<
    string,
    { readonly include: string[]; readonly exclude?: string[]; readonly isolate?: boolean }
  >
> = {
  unit: {
    include: ['test/unit/**/*.test.ts', 'test/vectors/**/*.test.ts', 'test/types/**/*.test.ts'],
    exclude: [...ALONE, ...LONG],
    isolate: false,
  },
  alone: { include: ALONE },
  property: {
    include: ['test/property/**/*.test.ts'],
    exclude: [...ALONE, ...LONG],
    isolate: false,
  },
  contract: { include: [IN_PROCESS] },
  http: {
    include: ['test/http/**/*.test.ts'],
    exclude: [...ALONE, ...HOSTILE_HTTP],
    isolate: false,
  },
  package: {
    include: ['test/package/**/*.test.ts', 'test/examples/**/*.test.ts'],
    exclude: PROGRAMS,
  },
  'full:http': { include: HOSTILE_HTTP, exclude: ALONE, isolate: false },
  'full:programs': { include: PROGRAMS },
  'full:kits': { include: KITS },
  'full:servers': { include: ['test/contract/**/*.test.ts'], exclude: [IN_PROCESS, ...KITS] },
  'full:faults': { include: ['test/{faults,processes,pages}/**/*.test.ts'] },
  'full:thorough': { include: THOROUGH },
  'full:simulation': { include: ['test/simulation/**/*.test.ts', 'test/heap/**/*.test.ts'] },
}

const projects = Object.entries(GROUPS).map(([name, group]) => ({
  extends: true as const,
  test: {
    name,
    ...group,
    env: {
      WATCHWORD_PROPERTY_RUNS:
        process.env['WATCHWORD_PROPERTY_RUNS'] ?? (name.startsWith('full:') ? '1' : '0.1'),
    },
  },
}))

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
    projects,
    coverage: {
      provider: 'v8',
      reportOnFailure: true,
      include: ['src/**/*.ts'],
      reportsDirectory: '.cache/coverage',
      reporter: ['text', 'json-summary'],
      thresholds: { perFile: true, branches: 90 },
    },
    // Guards against a hang, not against slowness: they hold at five times the normal load.
    testTimeout: 150_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
    // The memory tests collect garbage before they measure.
    execArgv: ['--expose-gc'],
    reporters: results ? ['default', ['json', { outputFile: results }]] : ['default'],
  },
})
