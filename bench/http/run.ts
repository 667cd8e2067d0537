/**
 * One framework from its servers to its figures.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { demand } from '../expect.js'
import { median, medianDeviation } from '../statistics.js'
import { type Server, startServer } from './child.js'
import { ANYONE, type Contender, type Framework, PATH } from './kit.js'
import { press, soak, warmUp } from './load.js'
import type { FrameworkResult, Line, Pace } from './results.js'
import { CONTENDERS } from './servers/index.js'

/** The contender that the peers are compared with, and that the long run is about. */
export const OURS = 'watchword'
const BODY_LENGTH = JSON.stringify({ subject: ANYONE }).length

interface Runner {
  readonly contender: Contender
  readonly server: Server
  readonly rates: number[]
  readonly cpus: number[]
  readonly loads: number[]
  answered: number
}

/** Starts the servers of a framework, times them in turn, and stops them however that ends. */
export async function runFramework(framework: Framework, pace: Pace): Promise<FrameworkResult> {
  const runners: Runner[] = []
  try {
    for (const contender of CONTENDERS[framework]) {
      const server = await startServer(framework, contender.name)
      runners.push({ contender, server, rates: [], cpus: [], loads: [], answered: 0 })
      await check(contender, server)
      await warmUp(server.url, server.tokens.good)
    }
    await race(runners, pace)
    const lines = linesOf(runners)
    const ours = lines.find(({ name }) => name === OURS) as Line
    const peers = lines.filter(({ kind }) => kind === 'peer')
    const { server } = runners.find(({ contender }) => contender.name === OURS) as Runner
    return {
      version: versionOf(framework),
      lines,
      toPeers: Object.fromEntries(
        peers.map((peer) => [peer.name, median(ratios(ours.rounds, peer.rounds))]),
      ),
      soak: await soak(server.url, server.tokens, pace.soak),
    }
  } finally {
    await Promise.all(runners.map(({ server }) => server.stop()))
  }
}

/** Before the clock runs: the right subject for a good token, and no way in for any other. */
async function check({ name, kind }: Contender, { url, tokens }: Server): Promise<void> {
  const isBare = kind === 'bare'
  for (const i of [0, 1, tokens.good.length - 1]) {
    const subject = isBare ? ANYONE : `svc_${String(i).padStart(5, '0')}`
    const { status, body } = await get(url, tokens.good[i])
    demand(name, status === 200, body === JSON.stringify({ subject }))
  }
  if (isBare) return
  demand(name, (await get(url, undefined)).status === 401)
  for (const forged of tokens.forged.slice(0, 3)) {
    demand(name, (await get(url, forged)).status === 401)
  }
  demand(name, [401, 403].includes((await get(url, tokens.revoked[0])).status))
}

async function get(url: string, token: string | undefined) {
  const headers: Record<string, string> = {}
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  const response = await fetch(url + PATH, { headers })
  return { status: response.status, body: await response.text() }
}

/** Each round begins with another contender, and is short: what else the machine does changes by the second. */
async function race(runners: readonly Runner[], { rounds, sliceMs }: Pace): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < runners.length; i++) {
      await runOnce(runners[(i + round) % runners.length] as Runner, sliceMs)
    }
  }
}

async function runOnce(runner: Runner, sliceMs: number): Promise<void> {
  const { server, rates, cpus, loads } = runner
  await server.spent()
  const before = await server.spent()
  const { perSecond, answered } = await press(server.url, server.tokens.good, BODY_LENGTH, sliceMs)
  const after = await server.spent()
  const busy = after.busy - before.busy
  rates.push(perSecond)
  cpus.push((after.cpu - before.cpu) / answered)
  loads.push(busy / (busy + after.idle - before.idle))
  runner.answered += answered
}

function linesOf(runners: readonly Runner[]): Line[] {
  const bare = runners.find(({ contender }) => contender.kind === 'bare') as Runner
  return runners.map(({ contender: { name, kind }, rates, cpus, loads, answered }) => ({
    name,
    kind,
    perSecond: median(rates),
    toBare: median(ratios(rates, bare.rates)),
    toBareMad: medianDeviation(ratios(rates, bare.rates)),
    cpu: median(cpus),
    busy: median(loads),
    rounds: rates,
    answered,
  }))
}

/** By how much one was faster than another, in each round. */
function ratios(one: readonly number[], other: readonly number[]): number[] {
  return one.map((rate, round) => rate / (other[round] as number))
}

function versionOf(framework: Framework): string {
  const file = new URL(`../../node_modules/${framework}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
