/**
 * Start-up: how long a fresh process takes until it has an authority. For information; no target.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { demand } from '../expect.js'
import type { Case, Figure } from '../results.js'
import { median } from '../statistics.js'

const BARE = 'process.stdout.write(JSON.stringify({ imported: performance.now(), started: 0 }))'

interface Ages {
  readonly imported: number
  readonly started: number
}

export const startup: Case = {
  name: 'startup',
  async run(settings) {
    const runs = settings.quick ? 3 : 9
    const bare: number[] = []
    const imported: number[] = []
    const started: number[] = []
    for (let i = 0; i < runs; i++) {
      bare.push(ages(['--input-type=module', '-e', BARE]).imported)
      const ours = ages(['.config/run.mjs', 'bench/startup-child.ts'])
      imported.push(ours.imported)
      started.push(ours.started)
    }
    return {
      name: 'startup',
      title: 'Start-up',
      about: [
        'The age of a fresh process: bare; with the library imported; with an authority ready.',
      ],
      timings: [],
      ratios: {},
      figures: [
        figure('bare Node', 'baseline', bare),
        figure('imported', 'ours', imported),
        figure('createWatchword done', 'ours', started),
      ],
    }
  },
}

function figure(name: string, kind: Figure['kind'], values: readonly number[]): Figure {
  return { name, kind, value: median(values), unit: 'ms' }
}

function ages(args: readonly string[]): Ages {
  const cwd = new URL('../..', import.meta.url)
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  const read = JSON.parse(stdout) as Ages
  demand('start-up', read.imported > 0)
  return read
}
