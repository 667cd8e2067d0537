/**
 * `npm run bench:stores -- [--quick] [--only <store>] [--rows <number>]`: times the real stores, prints what came out,
 * and writes `results.json`.
 *
 * @module
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.js'
import { judge } from './bars.js'
import { PLACES } from './places/index.js'
import type { Place } from './places/place.js'
import type { Pace } from './race.js'
import { describeBars, describePlace } from './report.js'
import type { PlaceResult } from './results.js'
import { runPlace } from './run.js'

const FULL = { rows: 1_000_000, pace: { rounds: 9, calls: 40, bursts: 4 } }
const QUICK = { rows: 100_000, pace: { rounds: 5, calls: 20, bursts: 2 } }

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rows: { type: 'string' },
  },
})
const settings = values.quick ? QUICK : FULL
const rows = values.rows === undefined ? settings.rows : Number(values.rows)
const names = Object.keys(PLACES)

// Whole blocks of a thousand for the batches, and enough for the sizes to differ.
if (!Number.isSafeInteger(rows) || rows < 20_000 || rows % 1000 !== 0)
  throw new TypeError('--rows takes a multiple of 1,000, from 20,000 on')
if (values.only !== undefined && !names.includes(values.only))
  throw new TypeError(`--only takes one of ${names.join(', ')}`)

await runAll(values.only === undefined ? names : [values.only], settings.pace)

async function runAll(chosen: readonly string[], pace: Pace): Promise<void> {
  const machine = describeMachine()
  const { cpu, cores, node, commit } = machine
  console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
  const stores: Record<string, PlaceResult> = {}
  for (const name of chosen) {
    const place = await PLACES[name]?.()
    if (place === undefined) continue
    stores[name] = await dropAfterwards(place, () => runPlace(place, rows, pace))
    console.log(describePlace(stores[name]))
  }
  const bars = judge(stores)
  console.log(describeBars(bars))
  // One store alone would stand beside another run's numbers.
  if (values.only !== undefined) return
  const file = new URL('results.json', import.meta.url)
  const byName = Object.fromEntries(bars.map(({ what, ...bar }) => [what, bar]))
  const results = {
    machine,
    settings: { quick: values.quick, rows, ...pace },
    bars: byName,
    stores,
  }
  writeFileSync(file, `${JSON.stringify(results, rounded, 2)}\n`)
}

/** Removes what the place holds, however the work ends, also on a signal. */
async function dropAfterwards<T>(place: Place, work: () => Promise<T>): Promise<T> {
  const stop = (signal: NodeJS.Signals) => {
    console.error(`${signal}: removing what was made in ${place.title}`)
    place.drop().then(
      () => process.exit(1),
      () => process.exit(1),
    )
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  try {
    return await work()
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    await place.drop()
  }
}

// Further digits would be noise.
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value
}
