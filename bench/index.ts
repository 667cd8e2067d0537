/**
 * `npm run bench -- [--quick] [--only <case>]`: runs the cases, prints what came out, and writes `results.json`.
 *
 * Each case has a process of its own, so that what the engine has learnt from one does not weigh on the next.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CASES } from './cases/index.js'
import { describeMachine } from './machine.js'
import { describeCase, describeTargets } from './report.js'
import type { CaseResult, Settings } from './results.js'
import { judge } from './targets.js'

const FULL: Settings = { quick: false, rounds: 21, sliceMs: 120 }
const QUICK: Settings = { quick: true, rounds: 7, sliceMs: 25 }

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    // For the processes that this one starts: where to write the result of `only`.
    result: { type: 'string' },
  },
})
const settings = values.quick ? QUICK : FULL
const names = CASES.map(({ name }) => name)

if (values.only !== undefined && !names.includes(values.only)) {
  throw new TypeError(`--only takes one of ${names.join(', ')}`)
}
if (values.result !== undefined) {
  const result = await CASES.find(({ name }) => name === values.only)?.run(settings)
  writeFileSync(values.result, JSON.stringify(result))
} else {
  runAll(values.only === undefined ? names : [values.only])
}

function runAll(chosen: readonly string[]): void {
  const machine = describeMachine()
  const { cpu, cores, node, commit } = machine
  console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const cases = chosen.map((name) => {
      const result = runApart(name, join(folder, `${name}.json`))
      console.log(describeCase(result))
      return result
    })
    const targets = judge(cases)
    console.log(describeTargets(targets))
    // Part of a run would stand beside another run's numbers, and quick ones are rough: neither is kept.
    if (values.only !== undefined || values.quick) return
    const file = new URL('results.json', import.meta.url)
    writeFileSync(file, `${JSON.stringify({ machine, settings, targets, cases }, rounded, 2)}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runApart(name: string, file: string): CaseResult {
  const bundle = process.argv[1] as string
  // Its advice against keying a cache by whole tokens is in the README beside this file.
  const quiet = '--disable-warning=FAST_JWT_CACHE_KEY_BUILDER_SECURITY_RISK'
  const args = [...process.execArgv, quiet, bundle, '--only', name, '--result', file]
  const { status } = spawnSync(process.execPath, values.quick ? [...args, '--quick'] : args, {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error(`the case ${name} failed`)
  return JSON.parse(readFileSync(file, 'utf8')) as CaseResult
}

// Further digits would be noise.
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value
}
