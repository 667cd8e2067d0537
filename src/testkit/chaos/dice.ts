/**
 * Decides the faults of each call from a seed.
 *
 * @module
 */
import { generator } from '../random.js'

/** The probability of each fault, from 0 (never) to 1 (always). */
export interface ChaosRates {
  /** A call fails without taking effect. */
  readonly failBefore: number
  /** A call takes effect and still fails. The caller cannot tell the difference. */
  readonly failAfter: number
  /** A response is late by up to `maxDelayMs`. */
  readonly delayed: number
  /** A read returns some of its events twice. */
  readonly repeated: number
  /** A push is lost. */
  readonly pushDropped: number
  /** A push is delivered twice. */
  readonly pushRepeated: number
  /** A push waits until the next one has overtaken it, and its events are reversed. */
  readonly pushReordered: number
  /** A push is late by up to `maxDelayMs`. */
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

/** No faults. */
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

/** One throw of the dice: each part is in [0, 1). */
export interface Throw {
  readonly fate: number
  readonly late: number
  readonly length: number
  readonly again: number
}

/** The rates, the dice, and the fault counters. */
export interface Chance {
  rates: ChaosRates
  readonly faults: Readonly<Record<keyof ChaosRates, number>>
  /** The next throw for a kind of call. */
  toss(kind: string): Throw
  /** Whether this part of a throw triggers the fault; counts it if so. */
  isHit(fault: keyof ChaosRates, part: number): boolean
  /** Which of several mutually exclusive faults this part of a throw triggers, if any. */
  pick<F extends keyof ChaosRates>(part: number, faults: readonly F[]): F | undefined
}

/**
 * Faults from a seed. Each kind of call has its own sequence of throws, so the outcome of the third append does not
 * depend on the number of earlier reads. Each throw consumes the same number of random values, so changing a rate does
 * not shift later throws.
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
