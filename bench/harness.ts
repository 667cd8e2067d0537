/**
 * Times contenders against each other, on mitata's measuring loop.
 *
 * The rounds are interleaved and each begins with another contender, so that whatever else the machine does hits
 * all alike; ratios are taken within a round, and only then is their median taken.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { measure } from 'mitata'
import type { CaseResult, Settings, Timing } from './results.js'
import { median, medianDeviation, quantile } from './statistics.js'

/** Something to time. Both kinds of `call` answer how many results were as they should be. */
export type Contender = {
  readonly name: string
  readonly kind: Timing['kind']
  /** How many results one call has to answer for. Default: 1. */
  readonly perCall?: number
  /** Called before each round, outside the measured time. */
  readonly prepare?: () => Promise<void>
} & ({ readonly call: () => number } | { readonly callAsync: () => Promise<number> })

interface Entrant {
  readonly contender: Contender
  readonly perCall: number
  readonly count: { calls: number; good: number }
  readonly timed: () => unknown
  readonly rounds: number[]
  readonly samples: number[]
}

/** Lets all contenders run, and answers the timings and ratios of a case. The first is the reference, unless told. */
export async function compete(
  contenders: readonly Contender[],
  settings: Settings,
  reference = contenders[0]?.name ?? '',
): Promise<Pick<CaseResult, 'timings' | 'ratios' | 'reference'>> {
  const entrants = contenders.map(enter)
  // A round that does not count: by its end the code is compiled and every cache is filled.
  for (const entrant of entrants) await runOnce(entrant, settings.sliceMs, false)
  for (let round = 0; round < settings.rounds; round++) {
    for (let i = 0; i < entrants.length; i++) {
      const entrant = entrants[(i + round) % entrants.length] as Entrant
      await runOnce(entrant, settings.sliceMs, true)
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

async function runOnce(entrant: Entrant, sliceMs: number, counts: boolean): Promise<void> {
  const { contender, perCall, timed, rounds, samples, count } = entrant
  await contender.prepare?.()
  // Timers come round as they do in a server: leases are renewed, pending writes are written.
  await setImmediate()
  const stats = await measure(timed, {
    min_cpu_time: sliceMs * 1e6,
    min_samples: 5,
    batch_samples: 512,
  })
  if (count.good !== count.calls * perCall) {
    const wrong = count.calls * perCall - count.good
    throw new Error(`${contender.name}: ${wrong} of ${count.calls * perCall} answers were wrong`)
  }
  if (!counts) return
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
