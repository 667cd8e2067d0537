/**
 * Processes that verify tokens are killed at random times, also while they write how the tokens are used. Then another
 * process reports the use of the tokens, and its reports are compared with what the killed ones accepted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWatchword, type TokenUsage, type Watchword } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { bundle } from '../../.config/bundle.mjs'
import { availablePlaces, openStore } from './stores.js'
import { BURST, type Burst, type UsageOrders } from './usage-orders.js'

const TOKENS = 1000
const SAMPLE = 150
const ROUNDS = 3
/** The longest time after its start that a process is killed: two or three of its writes. */
const LONGEST_MS = 3000

let folder = ''
let bundled = ''
let program = ''

beforeAll(async () => {
  await ready
  folder = mkdtempSync(join(tmpdir(), 'watchword-usage-'))
  const made = await bundle(['test/processes/usage-worker.ts'], `usage-worker-${process.pid}`)
  bundled = made.folder
  program = made.bundles[0] as string
})

afterAll(() => {
  for (const made of [folder, bundled])
    if (made !== '') rmSync(made, { recursive: true, force: true })
})

/** One process: its name, what it accepted, and how it ended. */
interface Run {
  readonly node: string
  readonly bursts: readonly Burst[]
  readonly killed: boolean
}

const running = new Set<ChildProcess>()
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a process for some time, then kills or stops it. */
async function runOne(orders: UsageOrders, ms: number, kill: boolean): Promise<Run> {
  const file = `${orders.history}.orders`
  writeFileSync(file, JSON.stringify(orders))
  const child = spawn(process.execPath, [program, file])
  running.add(child)
  let stderr = ''
  child.stderr.on('data', (data) => {
    stderr += data
  })
  const ended = new Promise<NodeJS.Signals | number | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  )
  await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended])
  await setTimeout(ms)
  if (kill) child.kill('SIGKILL')
  else child.stdin.end('stop')
  const end = await ended
  running.delete(child)
  expect(end, stderr).toBe(kill ? 'SIGKILL' : 0)
  return { node: orders.node, bursts: burstsOf(orders.history), killed: kill }
}

function burstsOf(file: string): Burst[] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  // The last line may be incomplete.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Burst)
}

/** What a report says wrongly about a token. */
function faultOf(id: string, usage: TokenUsage, runs: readonly Run[]): string | undefined {
  const uses = runs.flatMap(({ node, bursts }) =>
    bursts.flatMap(({ at, ids }) => ids.filter((each) => each === id).map(() => ({ node, at }))),
  )
  const { requests, coverage } = usage
  if (uses.length > 0 && requests === 0 && coverage.complete) return `${id}: reported as unused`
  const isUnknown = ({ node, at }: (typeof uses)[number]) =>
    coverage.gaps.some((gap) => gap.node === node && gap.from <= at && at <= gap.to)
  const certain = uses.filter((use) => !isUnknown(use)).length
  return requests < certain ? `${id}: ${requests} of ${certain} certain uses` : undefined
}

const usageOf = async (watchword: Watchword, id: string) =>
  (await watchword.tokens.usage({ id }, { since: '1h' })) as TokenUsage

describe('processes killed while they write usage', async () => {
  for (const place of await availablePlaces()) {
    it(`leave no report that is wrong on ${place.kind}, and name their node and interval`, async () => {
      const prefix = `ww${randomInt(2 ** 40).toString(36)}_`
      const own = { ...place, prefix, url: place.url === '' ? join(folder, prefix) : place.url }
      const opened = await openStore(own, { migrate: true })
      try {
        const rootKey = exportKey(generateKey())
        const watchword = await createWatchword({
          issuer: 'https://auth.example',
          audience: 'api',
          rootKey,
          store: opened.store,
          node: 'reporter',
          // Issues a thousand tokens in one call, on a machine that is as busy as the tests make it.
          timeout: '1m',
          policies: { open: { ttl: '1h', scopes: ['a:*'] } },
        })
        const input = { policy: 'open', subject: 'svc', scopes: ['a:read'], actor: 'test' }
        const issued = await watchword.issueMany(Array.from({ length: TOKENS }, () => input))
        const tokens = issued.map(({ id, token }) => ({ id, token }))
        // Half of the tokens are used from the start, the others only by the processes of the last round.
        const runs: Run[] = []
        let count = 0
        const run = (ms: number, kill: boolean, some: typeof tokens) => {
          const node = `worker-${++count}`
          const history = join(folder, `${prefix}${node}.jsonl`)
          return runOne({ place: own, rootKey, node, tokens: some, history }, ms, kill)
        }
        const early = tokens.slice(0, TOKENS / 2)
        for (let round = 0; round < ROUNDS; round++)
          runs.push(
            ...(await Promise.all([
              run(randomInt(LONGEST_MS), true, early),
              run(randomInt(LONGEST_MS), true, early),
            ])),
          )
        const stopped = await run(1500, false, early)
        runs.push(stopped)
        // Killed before its first write: only these tokens are never counted at all.
        runs.push(await run(150, true, tokens.slice(TOKENS / 2)))
        const faults: string[] = []
        for (let i = 0; i < SAMPLE; i++) {
          const id = tokens[randomInt(TOKENS)]?.id ?? ''
          const fault = faultOf(id, await usageOf(watchword, id), runs)
          if (fault !== undefined) faults.push(fault)
        }
        expect(faults).toEqual([])

        const ids = tokens.map(({ id }) => id)
        const rows =
          (await opened.store.usage?.listRows({ ids, since: 0 }, { limit: 10_000 })) ?? []
        const counted = rows.reduce((sum, { requests }) => sum + requests, 0)
        const sizes = new Map(runs.map((one) => [one.node, one.bursts.length * BURST]))
        const accepted = [...sizes.values()].reduce((sum, size) => sum + size, 0)
        // Some uses are lost with the processes, and none is counted twice.
        expect(counted).toBeLessThan(accepted)
        expect(counted).toBeGreaterThanOrEqual(sizes.get(stopped.node) ?? 0)
        const { coverage } = await usageOf(watchword, ids[0] ?? '')
        for (const { node, killed, bursts } of runs) {
          const gaps = coverage.gaps.filter((gap) => gap.node === node)
          expect(gaps.length, node).toBe(killed ? 1 : 0)
          if (killed) expect(gaps[0]?.to).toBeGreaterThanOrEqual(bursts.at(-1)?.at ?? 0)
        }
        await watchword.close()
      } finally {
        await opened.drop()
        await opened.end()
      }
    }, 240_000)
  }
})
