/**
 * `node .config/run.mjs bench/stores/usage-flush.ts [--only <store>] [--tokens <number>] [--runs <number>]`: writes the
 * use of many tokens to the real stores, as a process does every minute. Prints the median of the times, and the
 * longest time for which the event loop was held.
 *
 * Tokens have two callers each and require one of two scopes. The first flush inserts the rows, later ones replace them.
 * For the event loop the run with the shortest hold counts, since other load on the machine only adds to it.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ulid } from 'ulid'
import { resolveClock, systemClock } from '../../src/lib/clock.js'
import type { Counted, Demand } from '../../src/observe/usage/counted.js'
import { UsageKeeper } from '../../src/observe/usage/keeper.js'
import { Lives } from '../../src/observe/usage/life.js'
import { UsageRecorder } from '../../src/observe/usage/recorder.js'
import type { UsageStore } from '../../src/store/usage.js'
import { usageOf } from '../../src/testkit/store/usage-fixtures.js'
import { demand } from '../expect.js'
import { describeMachine } from '../machine.js'
import { median } from '../statistics.js'
import { PLACES } from './places/index.js'

const BAR_MS = 5000
const BAR_HELD_MS = 15
const MINUTE = 60_000
const DEMANDS: readonly Demand[] = ['orders:read', 'orders:write'].map((scope) => ({
  allOf: [scope],
  anyOf: [],
}))

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    tokens: { type: 'string', default: '100000' },
    runs: { type: 'string', default: '5' },
  },
})
const count = Number(values.tokens)
const runs = Number(values.runs)

/** The parts of an authority that count and write, over the part of a store. */
function counting(part: UsageStore) {
  const clock = resolveClock(systemClock)
  const lives = new Lives({
    clock,
    node: 'bench',
    newLife: (at) => ulid(at),
    agrees: () => true,
    isCertain: true,
    stamp: () => clock.reading(),
    maxSilenceMs: 30 * MINUTE,
  })
  const recorder = new UsageRecorder({
    scopes: true,
    callers: true,
    caches: true,
    life: () => lives.current.life,
    onTime: () => {},
    onLost: () => demand('a place for every token', false),
  })
  const call = <T>(work: () => Promise<T>) => work()
  const flushEveryMs = MINUTE
  const keeper = new UsageKeeper({
    clock,
    part,
    call,
    lives,
    recorder,
    flushEveryMs,
    random: Math.random,
  })
  return { clock, recorder, keeper }
}

type Counting = ReturnType<typeof counting>

function tokensOf(): Counted[] {
  const start = Date.now()
  return Array.from({ length: count }, (_, index) => ({
    principal: { id: ulid(start + index), scopes: ['orders:*'] },
    met: DEMANDS[index % DEMANDS.length],
    uses: 0,
    reportedMinute: -1,
    hour: undefined,
    slot: 0,
  }))
}

/** Two requests with each token, from two callers. */
function useAll(tokens: readonly Counted[], { clock, recorder }: Counting): void {
  for (const [index, token] of tokens.entries()) {
    for (const host of [1, 2]) {
      const now = clock.reading()
      const minute = Math.floor(now / MINUTE)
      if (token.reportedMinute !== minute) recorder.report(token, minute, now)
      token.uses++
      const address = `10.0.${index % 250}.${host}`
      recorder.call(token, { address, route: '/orders/:id/items', userAgent: AGENT }, clock)
    }
  }
}

const AGENT = 'node-fetch/3.3.2 (+https://github.com/node-fetch/node-fetch)'

async function flush({ keeper }: Counting) {
  globalThis.gc?.()
  const stop = watchTurns()
  const start = performance.now()
  const cpu = process.cpuUsage()
  await keeper.flush()
  const taken = performance.now() - start
  return { taken, held: await stop(), worked: computedSince(cpu) }
}

/** The CPU time of this process in milliseconds. */
function computedSince(cpu: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) / 1000
}

/**
 * Returns a function that resolves with the longest time in milliseconds for which no timer ran. Of each, no more counts
 * than the process computed: the rest of it another process had, which the machine was busy with.
 */
function watchTurns(): () => Promise<number> {
  let held = 0
  let last = performance.now()
  let cpu = process.cpuUsage()
  const turn = () => {
    const now = performance.now()
    held = Math.max(held, Math.min(now - last, computedSince(cpu)))
    last = now
    cpu = process.cpuUsage()
  }
  const timer = setInterval(turn, 1)
  return async () => {
    await setTimeout(2)
    clearInterval(timer)
    return held
  }
}

async function run(name: string): Promise<void> {
  const place = await PLACES[name]?.()
  if (place === undefined) return
  try {
    for (const client of place.clients.slice(0, 1)) {
      const store = client.store('large')
      await store.open()
      const part = usageOf(store)
      const parts = counting(part)
      const tokens = tokensOf()
      const flushes: Awaited<ReturnType<typeof flush>>[] = []
      for (let i = 0; i < runs; i++) {
        useAll(tokens, parts)
        flushes.push(await flush(parts))
      }
      const taken = median(flushes.map((each) => each.taken))
      const worked = median(flushes.map((each) => each.worked))
      const held = Math.min(...flushes.map((each) => each.held))
      const times = `${seconds(taken)} (first ${seconds(flushes[0]?.taken ?? 0)}, ${seconds(worked)} of CPU), event loop held ${held.toFixed(1)} ms`
      const isMet = taken <= BAR_MS && held <= BAR_HELD_MS
      const verdict = name === 'postgres' ? (isMet ? ': met' : ': MISSED') : ''
      console.log(`${place.title}, ${client.name}, ${count} tokens: ${times}${verdict}`)
      const ids = [tokens[0], tokens.at(-1)].map((token) => token?.principal.id ?? '')
      const stored = await part.listRows({ ids, since: 0 }, { limit: 9 })
      const requests = stored.reduce((sum, row) => sum + row.requests, 0)
      demand('the rows', requests === new Set(ids).size * 2 * runs)
    }
  } finally {
    await place.drop()
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`

const { cpu, cores, node, commit } = describeMachine()
console.log(`${cpu}, ${cores} cores, Node ${node}, commit ${commit}`)
for (const name of values.only === undefined ? Object.keys(PLACES) : [values.only]) await run(name)
