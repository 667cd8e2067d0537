/**
 * `node .config/run.mjs bench/stores/sprawl.ts [--only <store>] [--rows <number>]`: issues many tokens, half of them
 * with a row of usage, and reports their sprawl. Prints how long that took, and how
 * much memory it held at most.
 *
 * @module
 */
import { parseArgs } from 'node:util'
import type { Watchword } from '../../src/index.js'
import { sprawl } from '../../src/report/sprawl.js'
import type { Store } from '../../src/store/store.js'
import type { UsageRow } from '../../src/store/usage.js'
import { usageOf } from '../../src/testkit/store/usage-fixtures.js'
import { demand } from '../expect.js'
import { describeMachine } from '../machine.js'
import { issueFresh, startAuthority } from './authority.js'
import { PLACES } from './places/index.js'

const HOUR = 3_600_000
const BATCH = 1000
const BAR_S = 60
const BAR_MB = 64
// Collecting garbage takes tens of milliseconds.
const COLLECT_EVERY = 20

const { values } = parseArgs({
  options: { only: { type: 'string' }, rows: { type: 'string', default: '1000000' } },
})
const count = Number(values.rows)
if (!Number.isSafeInteger(count) || count < BATCH || count % BATCH !== 0)
  throw new TypeError('--rows takes a multiple of 1,000')

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc, as run.mjs does')
  globalThis.gc()
}

/** What a process has counted for a token within the current hour. */
function rowOf(id: string): UsageRow {
  const from = Math.floor(Date.now() / HOUR) * HOUR
  return {
    id,
    from,
    life: '01JBENCH000000000000000000',
    requests: 3,
    refused: {},
    firstUsedAt: from,
    lastUsedAt: from,
    scopes: [{ scope: 'orders:read', uses: 3, lastUsedAt: from }],
    callers: [{ address: '10.0.0.1', route: '/orders', userAgent: 'curl/8', requests: 3 }],
    others: 0,
  }
}

async function fill(authority: Watchword, store: Store): Promise<void> {
  for (let at = 0; at < count; at += BATCH) {
    const issued = await issueFresh(authority, BATCH)
    const used = issued.filter((_, index) => index % 2 === 0)
    await usageOf(store).mergeRows(used.map(({ id }) => rowOf(id)))
  }
}

interface Measured {
  readonly seconds: number
  /** The CPU time of this process alone. */
  readonly cpuSeconds: number
  /** The most memory in use after a collection, more than before. */
  readonly heldMb: number
  readonly calls: number
}

/** The memory in use after a collection. */
function inUse(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function measure(authority: Watchword): Promise<Measured> {
  const before = inUse()
  let held = 0
  let calls = 0
  let done = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  const report = await sprawl(authority, {
    onProgress: (progress) => {
      demand('sprawl', progress.done > done, progress.total === count)
      done = progress.done
      if (calls++ % COLLECT_EVERY === 0) held = Math.max(held, inUse() - before)
    },
  })
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  demand('sprawl', done === count, report.tokens.live === count, report.tokens.corrupt === 0)
  const requests = report.days.reduce((sum, day) => sum + day.requests, 0)
  demand('sprawl', requests === (count / 2) * 3, report.counts.no_owner === count)
  return { seconds, cpuSeconds: (user + system) / 1e6, heldMb: held / 1e6, calls }
}

async function run(name: string): Promise<void> {
  const place = await PLACES[name]?.()
  if (place === undefined) return
  try {
    const [client] = place.clients
    const store = client.store('large')
    const authority = await startAuthority(store)
    await fill(authority, store)
    await place.settle()
    const { seconds, cpuSeconds, heldMb, calls } = await measure(authority)
    await authority.close()
    const isMet = seconds <= BAR_S && heldMb <= BAR_MB
    const verdict = name === 'postgres' && count === 1_000_000 ? (isMet ? ': met' : ': MISSED') : ''
    const figures = `${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU), at most ${heldMb.toFixed(0)} MB held, ${calls} calls of onProgress`
    console.log(`${place.title}, ${client.name}, ${count} tokens: ${figures}${verdict}`)
  } finally {
    await place.drop()
  }
}

const { cpu, cores, node, commit } = describeMachine()
console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
for (const name of values.only === undefined ? Object.keys(PLACES) : [values.only]) await run(name)
