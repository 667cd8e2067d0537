/**
 * `npm run bench:revocation -- [--quick] [--only <case>]`: measures revocation, prints what came out, and writes
 * `results.json` and the table of bench/README.md.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine, type Machine } from '../machine.js'
import { inOtherProcesses, runAlone } from './alone.js'
import { type Bar, barsOf, type Results } from './bars.js'
import { BROKERS, PLACES } from './brokers.js'
import { followFeed, propagation } from './propagation.js'
import { describeBars, describeForReadme } from './report.js'
import { startUp } from './startup.js'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    // For the processes that this one starts.
    follow: { type: 'string' },
    alone: { type: 'string' },
  },
})

if (values.follow !== undefined) await followFeed(values.follow)
else if (values.alone !== undefined) await runAlone(values.alone)
else await run()

async function run(): Promise<void> {
  const { quick, only } = values
  const chosen = (name: string) => only === undefined || only === name
  const machine = describeMachine()
  console.log(
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, commit ${machine.commit}`,
  )
  const held = quick ? 1_000_000 : 5_000_000
  const results: Results = { propagation: {}, startUp: {} }
  for (const name of Object.keys(BROKERS)) {
    if (!chosen('propagation')) continue
    const figures = await propagation(name, quick ? 100 : 500)
    if (figures !== undefined) results.propagation[name] = figures
  }
  for (const name of Object.keys(PLACES)) {
    if (!chosen('startup')) continue
    const figures = await startUp(name, quick ? 200_000 : 1_000_000)
    if (figures !== undefined) results.startUp[name] = figures
  }
  if (chosen('apply')) results.apply = await inOtherProcesses('apply', quick ? 200_000 : 1_000_000)
  if (chosen('hot')) results.hot = await inOtherProcesses('hot', held)
  if (chosen('memory')) results.memory = await inOtherProcesses('memory', held)
  const bars = barsOf(results)
  console.log(describeBars(bars))
  // Part of a run would stand beside another run's numbers, and quick ones are rough: neither is kept.
  if (only === undefined && !quick) keep(machine, bars, results)
}

function keep(machine: Machine, bars: readonly Bar[], results: Results): void {
  const file = new URL('results.json', import.meta.url)
  writeFileSync(file, `${JSON.stringify({ machine, bars, ...results }, rounded, 2)}\n`)
  const readme = new URL('../README.md', import.meta.url)
  const block = /(?<=<!-- bench:revocation -->\n).*?(?=<!-- \/bench:revocation -->)/s
  const text = readFileSync(readme, 'utf8')
  if (!block.test(text)) throw new Error('bench/README.md has no place for the table')
  writeFileSync(
    readme,
    text.replace(block, () => `${describeForReadme(machine, results)}\n`),
  )
}

// Further digits would be noise.
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value
}
