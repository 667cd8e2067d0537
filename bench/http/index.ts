/**
 * `npm run bench:http -- [--quick] [--only <framework>]`: sends requests to real servers, bare and guarded by us and by
 * others, prints what came out, and writes `results.json` and the table of bench/README.md.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.js'
import { judge } from './bars.js'
import { serve } from './child.js'
import { FRAMEWORKS, type Framework } from './kit.js'
import { describeBars, describeForReadme, describeFramework } from './report.js'
import type { FrameworkResult, Pace } from './results.js'
import { runFramework } from './run.js'

const FULL: Pace = { rounds: 21, sliceMs: 1000, soak: 200_000 }
const QUICK: Pace = { rounds: 5, sliceMs: 400, soak: 20_000 }

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    // For the processes that this one starts: whose server to be.
    serve: { type: 'string' },
  },
})
const chosen = FRAMEWORKS.filter((name) => values.only === undefined || values.only === name)
const [first] = chosen

if (first === undefined) throw new TypeError(`--only takes one of ${FRAMEWORKS.join(', ')}`)
if (values.serve !== undefined) await serve(first, values.serve)
else await runAll(chosen, values.quick ? QUICK : FULL)

async function runAll(frameworks: readonly Framework[], pace: Pace): Promise<void> {
  const machine = describeMachine()
  const { cpu, cores, node, commit } = machine
  console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
  const results: Partial<Record<Framework, FrameworkResult>> = {}
  for (const framework of frameworks) {
    const result = await runFramework(framework, pace)
    results[framework] = result
    console.log(describeFramework(framework, result))
  }
  const bars = judge(results)
  console.log(describeBars(bars))
  // Part of a run would stand beside another run's numbers, and quick ones are rough: neither is kept.
  if (values.only !== undefined || values.quick) return
  const file = new URL('results.json', import.meta.url)
  const found = { machine, settings: pace, bars, frameworks: results }
  writeFileSync(file, `${JSON.stringify(found, rounded, 2)}\n`)
  writeReadme(describeForReadme(results, machine))
}

function writeReadme(text: string): void {
  const file = new URL('../README.md', import.meta.url)
  const old = readFileSync(file, 'utf8')
  const block = /(?<=<!-- bench:http -->\n).*?(?=<!-- \/bench:http -->)/s
  if (!block.test(old)) throw new Error('bench/README.md has no place for the table')
  writeFileSync(
    file,
    old.replace(block, () => `${text}\n`),
  )
}

// Further digits would be noise.
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value
}
