/**
 * `node .config/run.mjs bench/stores/usage-flush.ts [--only <store>] [--rows <number>]`: writes the use of many tokens
 * to the real stores, in calls of 1,000 rows, twice: new rows, then the same hour a minute later. Prints how long it
 * took, and for how long the event loop was held at most.
 *
 * @module
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import type { Store } from '../../src/store/store.js'
import type { UsageRow } from '../../src/store/usage.js'
import { usageOf } from '../../src/testkit/store/usage-fixtures.js'
import { describeMachine } from '../machine.js'
import { PLACES } from './places/index.js'

const HOUR = 3_600_000
const CALL = 200
const BAR_MS = 5000
const BAR_HELD_MS = 15

const { values } = parseArgs({
  options: { only: { type: 'string' }, rows: { type: 'string', default: '100000' } },
})
const count = Number(values.rows)
const from = Math.floor(Date.now() / HOUR) * HOUR

/** What a process has counted for one token, as a service with a few clients would. */
function rowAt(index: number, requests: number): UsageRow {
  const id = `01${String(index).padStart(24, '0')}`
  const lastUsedAt = from + requests
  const callers = [1, 2].map((client) => ({
    address: `10.0.${index % 250}.${client}`,
    route: '/orders/:id/items',
    userAgent: 'node-fetch/3.3.2 (+https://github.com/node-fetch/node-fetch)',
    requests,
  }))
  return {
    id,
    from,
    life: '01JBENCH000000000000000000',
    requests: requests * 2,
    refused: index % 10 === 0 ? { expired: 1 } : {},
    firstUsedAt: from,
    lastUsedAt,
    scopes: ['orders:read', 'orders:write'].map((scope) => ({ scope, uses: requests, lastUsedAt })),
    callers,
    others: 0,
  }
}

/** Writes every row, one call after the other. Returns the times in milliseconds. */
async function flush(store: Store, requests: number) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let taken = 0
  let worked = 0
  let held = 0
  for (let at = 0; at < count; at += CALL) {
    const rows = Array.from({ length: Math.min(CALL, count - at) }, (_, i) =>
      rowAt(at + i, requests),
    )
    await new Promise(setImmediate)
    delay.reset()
    delay.enable()
    const start = performance.now()
    const cpu = process.cpuUsage()
    await usageOf(store).mergeRows(rows)
    taken += performance.now() - start
    const { user, system } = process.cpuUsage(cpu)
    worked += (user + system) / 1000
    await new Promise(setImmediate)
    delay.disable()
    held = Math.max(held, delay.max / 1e6)
  }
  return { taken, held, worked: worked / Math.ceil(count / CALL) }
}

async function run(name: string): Promise<void> {
  const place = await PLACES[name]?.()
  if (place === undefined) return
  try {
    for (const client of place.clients.slice(0, 1)) {
      const store = client.store('large')
      await store.open()
      for (const [what, requests] of [
        ['new', 3],
        ['again', 5],
      ] as const) {
        const { taken, held, worked } = await flush(store, requests)
        const isMet = taken <= BAR_MS && held <= BAR_HELD_MS
        const times = `${(taken / 1000).toFixed(2)} s, event loop held at most ${held.toFixed(1)} ms, ${worked.toFixed(1)} ms of CPU a call`
        const verdict = name === 'postgres' ? (isMet ? ': met' : ': MISSED') : ''
        console.log(`${place.title}, ${client.name}, ${count} rows ${what}: ${times}${verdict}`)
      }
      const ids = [0, count - 1].map((index) => rowAt(index, 1).id)
      const stored = await usageOf(store).listRows({ ids, since: 0 }, { limit: 9 })
      if (stored.some((row) => row.requests !== 10) || stored.length !== new Set(ids).size)
        throw new Error('the rows are not what was written last')
    }
  } finally {
    await place.drop()
  }
}

const { cpu, cores, node, commit } = describeMachine()
console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
for (const name of values.only === undefined ? Object.keys(PLACES) : [values.only]) await run(name)
