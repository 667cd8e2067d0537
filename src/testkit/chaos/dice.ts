/**
 * What happens to which call, decided by a seed.
 *
 * @module
 */
import { generator } from '../random.js'

/** How often what goes wrong, each from 0, never, to 1, always. */
export interface ChaosRates {
  /** A call fails, and has not taken effect. */
  readonly failBefore: number
  /** A call takes effect and still fails: the caller cannot tell. */
  readonly failAfter: number
  /** A response is late by up to `maxDelayMs`. */
  readonly delayed: number
  /** A read returns some of its events twice. */
  readonly repeated: number
  /** A push is lost. */
  readonly pushDropped: number
  /** A push comes twice. */
  readonly pushRepeated: number
  /** A push waits until the next one has passed it, and its own events come in reverse. */
  readonly pushReordered: number
  /** A push comes late, by up to `maxDelayMs`. */
  readonly pushDelayed: number
  /** A push is lost, and the channel ends with it. */
  readonly pushEnded: number
}

/** Frequent faults, but a few retries succeed. */
export const DEFAULT_RATES: ChaosRates = {
  failBefore: 0.03,
  failAfter: 0.03,
  delayed: 0.1,
  repeated: 0.05,
  pushDropped: 0.1,
  pushRepeated: 0.1,
  pushReordered: 0.1,
  pushDelayed: 0.2,
  pushEnded: 0.02,
}

/** Nothing goes wrong. */
export const CALM: ChaosRates = {
  failBefore: 0,
  failAfter: 0,
  delayed: 0,
  repeated: 0,
  pushDropped: 0,
  pushRepeated: 0,
  pushReordered: 0,
  pushDelayed: 0,
  pushEnded: 0,
}

/** One throw: each part is in [0, 1). */
export interface Throw {
  readonly fate: number
  readonly late: number
  readonly length: number
  readonly again: number
}

/** The rates, the dice, and the count of what went wrong. */
export interface Chance {
  rates: ChaosRates
  readonly faults: Readonly<Record<keyof ChaosRates, number>>
  /** The next throw for a kind of call. */
  toss(kind: string): Throw
  /** Whether this part of a throw means that fault; if it does, it is counted. */
  isHit(fault: keyof ChaosRates, part: number): boolean
  /** Which of several faults, of which at most one can happen, this part of a throw means. */
  pick<F extends keyof ChaosRates>(part: number, faults: readonly F[]): F | undefined
}

/**
 * Chance from a seed. Each kind of call has its own sequence of throws, so the fate of the third append is the same
 * however many reads came before it, and each throw takes as many numbers, so no rate shifts what comes after.
 */
export function chanceOf(seed: string | number, rates: ChaosRates): Chance {
  const rows = new Map<string, () => number>()
  const faults = { ...CALM } as Record<keyof ChaosRates, number>
  const chance: Chance = {
    rates,
    faults,
    toss(kind) {
      const row = rows.get(kind) ?? generator(`${seed}/${kind}`)
      rows.set(kind, row)
      const next = () => row() / 2 ** 32
      return { fate: next(), late: next(), length: next(), again: next() }
    },
    isHit(fault, part) {
      const isHit = part < chance.rates[fault]
      if (isHit) faults[fault]++
      return isHit
    },
    pick(part, candidates) {
      let from = 0
      for (const fault of candidates) {
        from += chance.rates[fault]
        if (part >= from) continue
        faults[fault]++
        return fault
      }
      return undefined
    },
  }
  return chance
}
