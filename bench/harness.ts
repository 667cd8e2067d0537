/**
 * Times contenders against each other, on mitata's measuring loop.
 *
 * The rounds are interleaved and each begins with a different contender, so that other load on the machine affects
 * all alike; ratios are taken within a round, and only then is their median taken.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { measure } from 'mitata'
import type { CaseResult, Settings, Timing } from './results.js'
import { median, medianDeviation, quantile } from './statistics.js'

/** Something to time. Both kinds of `call` return how many results were as expected. */
export type Contender = {
  readonly name: string
  readonly kind: Timing['kind']
  /** How many results one call returns. Default: 1. */
  readonly perCall?: number
  /** Called before each round, outside the measured time. */
  readonly prepare?: () => Promise<void>
} & ({ readonly call: () => number } | { readonly callAsync: () => Promise<number> })

interface Entrant {
  readonly contender: Contender
  readonly perCall: number
  readonly count: { calls: number; good: number }
  readonly timed: () => unknown
  /** How many calls make up one sample. */
  batch: number
  readonly rounds: number[]
  readonly samples: number[]
}

/** Runs all contenders, and returns the timings and ratios of a case. The first is the reference, unless told. */
export async function compete(
  contenders: readonly Contender[],
  settings: Settings,
  reference = contenders[0]?.name ?? '',
): Promise<Pick<CaseResult, 'timings' | 'ratios' | 'reference'>> {
  const entrants = contenders.map(enter)
  for (const entrant of entrants) await warmUp(entrant)
  for (let round = 0; round < settings.rounds; round++) {
    for (let i = 0; i < entrants.length; i++) {
      const entrant = entrants[(i + round) % entrants.length] as Entrant
      await runOnce(entrant, settings.sliceMs)
    }
  }
  return { timings: entrants.map(timingOf), ratios: ratiosOf(entrants, reference), reference }
}

function enter(contender: Contender): Entrant {
  const count = { calls: 0, good: 0 }
  return {
    contender,
    perCall: contender.perCall ?? 1,
    count,
    timed:
      'call' in contender ? sink(contender.call, count) : asyncSink(contender.callAsync, count),
    batch: LARGEST_BATCH,
    rounds: [],
    samples: [],
  }
}

// Every result ends up in a count that is compared with the number of calls: the compiler can drop none of them.
function sink(call: () => number, count: Entrant['count']): () => void {
  return () => {
    count.calls++
    count.good += call()
  }
}

function asyncSink(call: () => Promise<number>, count: Entrant['count']): () => Promise<void> {
  return async () => {
    count.calls++
    count.good += await call()
  }
}

// Enough for the slowest contender to be compiled, in a quick run too.
const WARM_UP = { calls: 10_000, ms: 1000 }
const SAMPLE_MS = 2
const LARGEST_BATCH = 512

/** Runs once without counting, and settles how many calls make up one sample. */
async function warmUp(entrant: Entrant): Promise<void> {
  const { contender, timed, count } = entrant
  await contender.prepare?.()
  const start = performance.now()
  await runFor(timed, WARM_UP)
  const callMs = (performance.now() - start) / count.calls
  // The loop is unrolled by four.
  entrant.batch = 4 * Math.ceil(Math.min(SAMPLE_MS / callMs, LARGEST_BATCH) / 4)
}

async function runFor(timed: Entrant['timed'], limit: typeof WARM_UP): Promise<void> {
  const end = performance.now() + limit.ms
  for (let i = 0; i < limit.calls && performance.now() < end; i++) await timed()
}

async function runOnce(entrant: Entrant, sliceMs: number): Promise<void> {
  const { contender, perCall, timed, rounds, samples, count, batch } = entrant
  await contender.prepare?.()
  // Timers come round as they do in a server: leases are renewed, pending writes are written.
  await setImmediate()
  // A collection throws away some compiled code, too: it comes first, and then a run that does not count.
  globalThis.gc?.()
  await runFor(timed, { calls: WARM_UP.calls, ms: sliceMs })
  const stats = await measure(timed, {
    gc: false,
    min_cpu_time: sliceMs * 1e6,
    min_samples: 5,
    batch_samples: batch,
    // Samples are always batches: a single call would leave out the collections that it causes.
    warmup_threshold: Number.POSITIVE_INFINITY,
    batch_threshold: Number.POSITIVE_INFINITY,
  })
  if (count.good !== count.calls * perCall) {
    const wrong = count.calls * perCall - count.good
    throw new Error(`${contender.name}: ${wrong} of ${count.calls * perCall} results were wrong`)
  }
  rounds.push(stats.p50 / perCall)
  for (const sample of stats.samples) samples.push(sample / perCall)
}

function timingOf({ contender, rounds, samples, count, perCall }: Entrant): Timing {
  return {
    name: contender.name,
    kind: contender.kind,
    median: median(rounds),
    p95: quantile(samples, 0.95),
    mad: medianDeviation(rounds),
    rounds,
    checked: count.calls * perCall,
  }
}

function ratiosOf(entrants: readonly Entrant[], reference: string): CaseResult['ratios'] {
  const ours = entrants.filter(({ contender }) => contender.kind === 'ours')
  const others = entrants.filter(
    ({ contender: { kind, name } }) => kind === 'peer' || name === reference,
  )
  return Object.fromEntries(
    ours.map((mine) => [
      mine.contender.name,
      Object.fromEntries(
        others
          .filter((other) => other !== mine)
          .map((other) => [other.contender.name, ratio(other, mine)]),
      ),
    ]),
  )
}

function ratio(other: Entrant, mine: Entrant): number {
  return median(mine.rounds.map((time, round) => (other.rounds[round] as number) / time))
}
