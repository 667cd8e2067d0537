/**
 * Times contenders against each other in interleaved rounds, with every result checked.
 *
 * The harness beside this folder measures functions that can be called without end. Here a call waits for a server, and
 * some use up what was prepared for them, such as a token that can be rotated once: so the number of calls is fixed.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { median, quantile } from '../statistics.js'

/** Something to time. */
export interface Contender {
  readonly name: string
  /** How many calls are under way at once. Default: 1. */
  readonly inFlight?: number
  /** How many results one call returns. Default: 1. */
  readonly perCall?: number
  /** How many calls make up a round, in place of the usual number. */
  readonly calls?: number
  /** Makes ready what that many calls will use up, outside the measured time. */
  readonly prepare?: (calls: number) => Promise<void>
  /** Returns whether the result is the expected one. */
  readonly call: () => Promise<boolean>
}

/** How much of it. */
export interface Pace {
  readonly rounds: number
  /** Calls in a round, one at a time. */
  readonly calls: number
  /** Bursts in a round, of as many calls as are in flight. */
  readonly bursts: number
}

/** Times in microseconds for one result: of a burst, its time by its calls. */
export interface Times {
  readonly median: number
  readonly p95: number
  /** The median of each round. */
  readonly rounds: readonly number[]
  readonly checked: number
}

/** Lets all contenders run. The first round does not count: statements are prepared and code is compiled in it. */
export async function race(
  contenders: readonly Contender[],
  pace: Pace,
): Promise<ReadonlyMap<string, Times>> {
  const found = contenders.map(() => ({ rounds: [] as number[], samples: [] as number[] }))
  for (let round = -1; round < pace.rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const at = (i + round + contenders.length) % contenders.length
      const samples = await runOnce(contenders[at] as Contender, pace)
      if (round < 0) continue
      found[at]?.rounds.push(median(samples))
      found[at]?.samples.push(...samples)
    }
  }
  return new Map(
    contenders.map(({ name, inFlight = 1, perCall = 1 }, at) => {
      const { rounds = [], samples = [] } = found[at] ?? {}
      const checked = samples.length * inFlight * perCall
      return [name, { median: median(rounds), p95: quantile(samples, 0.95), rounds, checked }]
    }),
  )
}

async function runOnce(contender: Contender, { calls, bursts }: Pace): Promise<number[]> {
  const { name, inFlight = 1, perCall = 1, prepare, call } = contender
  const turns = contender.calls ?? (inFlight === 1 ? calls : bursts)
  await prepare?.(turns * inFlight)
  await setImmediate()
  const samples: number[] = []
  for (let turn = 0; turn < turns; turn++) {
    const start = performance.now()
    const good =
      inFlight === 1
        ? await call()
        : (await Promise.all(Array.from({ length: inFlight }, call))).every(Boolean)
    samples.push(((performance.now() - start) * 1000) / (inFlight * perCall))
    if (!good) throw new Error(`${name}: a result was wrong`)
  }
  return samples
}

/** How many times the other's time this one's is: the median over the rounds, of the ratio within each. */
export function ratio(times: Times, other: Times): number {
  return median(times.rounds.map((time, round) => time / (other.rounds[round] as number)))
}
