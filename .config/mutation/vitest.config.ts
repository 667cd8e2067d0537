import { defineConfig } from 'vitest/config'
import project from '../vitest.config.js'
import { root } from './paths.js'
import { mutated } from './targets.js'

const chosen = new Set(process.env['WATCHWORD_MUTATED']?.split(','))

export default defineConfig({
  root,
  resolve: project.resolve ?? {},
  plugins: [
    {
      name: 'mutants',
      enforce: 'pre',
      transform(_code, id) {
        const file = id.slice(root.length)
        return chosen.has(file) ? { code: mutated.get(file)?.code ?? '', map: null } : undefined
      },
    },
  ],
  test: {
    include: ['test/{unit,property}/**/*.test.ts'],
    runner: `${root}.config/mutation/runner.ts`,
    env: { WATCHWORD_PROPERTY_RUNS: '0.25' },
    // For the dry run: the largest tests take minutes if every file is mutated. The runner limits each mutant itself.
    testTimeout: 600_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 1,
    execArgv: ['--expose-gc'],
    reporters: [['default', { summary: false }]],
    bail: process.env['WATCHWORD_MUTANT'] ? 1 : 0,
  },
})
