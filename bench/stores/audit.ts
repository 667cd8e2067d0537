/**
 * `node .config/run.mjs bench/stores/audit.ts [--only <store>] [--rows <number>]`: fills a store with tokens whose
 * issuance is audited, then times the checkpoint that gives every row its place, the verification of the whole tree, and
 * single calls of `issue` with the audit and without, in turn. The bars are those of PostgreSQL.
 *
 * @module
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { createWatchword, memoryFeed, type Watchword } from '../../src/index.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import type { Store } from '../../src/store/store.js'
import { AUDIENCE, ISSUER } from '../fixture.js'
import { describeMachine } from '../machine.js'
import { issueFresh, nextInput } from './authority.js'
import { PLACES } from './places/index.js'

const MILLION = 1_000_000
const BAR_VERIFY_S = 60
const BAR_MEMORY_MB = 64
const BAR_ISSUE = 1.3
const ROUNDS = 30
const CALLS = 20

const { values } = parseArgs({
  options: { only: { type: 'string' }, rows: { type: 'string', default: String(MILLION) } },
})
const count = Number(values.rows)

const start = (store: Store, rootKey: string, audit: false | undefined): Promise<Watchword> =>
  createWatchword({
    store,
    feed: memoryFeed(),
    rootKey,
    issuer: ISSUER,
    audience: AUDIENCE,
    policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
    timeout: '30s',
    ...(audit === false ? { audit } : { audit: { checkpointEvery: '1h' } }),
  })

const verdict = (isMet: boolean, isBarred: boolean) =>
  isBarred ? (isMet ? ': met' : ': MISSED') : ''

/** Times a call, in milliseconds, with its processor time and the longest time that it held the event loop. */
async function timed<T>(work: () => Promise<T>) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const cpu = process.cpuUsage()
  const began = performance.now()
  const result = await work()
  const ms = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  delay.disable()
  return { result, ms, cpuMs: (user + system) / 1000, heldMs: delay.max / 1e6 }
}

/** Watches the heap in use after collections, and returns by how many MB it was larger than at first. */
function watchMemory() {
  const used = () => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed / 1e6
  }
  const before = used()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, used())
  }, 500)
  return () => {
    clearInterval(timer)
    return most - before
  }
}

async function verifyAll(title: string, authority: Watchword, isBarred: boolean): Promise<void> {
  const first = await timed(() => authority.audit.checkpoint())
  console.log(
    `${title}: the first checkpoint of ${first.result.size} rows: ${(first.ms / 1000).toFixed(1)} s`,
  )
  const { result, ms, cpuMs, heldMs } = await timed(() => authority.audit.verify())
  if (!result.ok || result.size <= count || result.anchoredTo !== result.size)
    throw new Error(`the audit does not verify: ${JSON.stringify(result)}`)
  const perMillion = (ms / 1000) * (MILLION / result.size)
  console.log(
    `${title}: verify of ${result.size} rows: ${(ms / 1000).toFixed(1)} s, ${perMillion.toFixed(1)} s a million${verdict(perMillion <= BAR_VERIFY_S, isBarred)}; ${((cpuMs * 1000) / result.size).toFixed(1)} µs of CPU a row, event loop held at most ${heldMs.toFixed(1)} ms`,
  )
  // Again, because the collections would count as time.
  const memory = watchMemory()
  await authority.audit.verify()
  const grown = memory()
  console.log(
    `${title}: memory of the verification: ${grown.toFixed(1)} MB${verdict(grown <= BAR_MEMORY_MB, isBarred)}`,
  )
}

/** The median of the ratios of `issue` with the audit to without, each within a round of both. */
async function issueRatio(audited: Watchword, bare: Watchword): Promise<number> {
  const ratios: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const taken = new Map<Watchword, number>()
    for (const authority of round % 2 === 0 ? [audited, bare] : [bare, audited]) {
      const { ms } = await timed(async () => {
        for (let i = 0; i < CALLS; i++) await authority.issue(nextInput())
      })
      taken.set(authority, ms)
    }
    // The first round warms up.
    if (round > 0) ratios.push((taken.get(audited) ?? 0) / (taken.get(bare) ?? 1))
  }
  return ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)] as number
}

async function run(name: string): Promise<void> {
  const place = await PLACES[name]?.()
  if (place === undefined) return
  const rootKey = exportKey(generateKey())
  const isBarred = name === 'postgres'
  try {
    const [client] = place.clients
    const title = `${place.title}, ${client.name}`
    const audited = await start(client.store('large'), rootKey, undefined)
    if (audited.health().audit.status !== 'kept') {
      console.log(`${title}: keeps no audit`)
      return
    }
    const bare = await start(client.store('large'), rootKey, false)
    const ratio = await issueRatio(audited, bare)
    console.log(
      `${title}: issue with the audit: ${ratio.toFixed(2)} times without${verdict(ratio <= BAR_ISSUE, isBarred)}`,
    )
    await issueFresh(audited, count)
    await place.settle()
    await verifyAll(title, audited, isBarred)
    await bare.close()
    await audited.close()
  } finally {
    await place.drop()
  }
}

await ready
const { cpu, cores, node, commit } = describeMachine()
console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
for (const name of values.only === undefined ? Object.keys(PLACES) : [values.only]) await run(name)
