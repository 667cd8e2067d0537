/**
 * Freshness: how long ago this node last proved that its position was the head of the log.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'

/** Both clocks at one moment. */
export type TimeMark = readonly [wall: number, monotonic: number]

/** Earlier than every moment. */
export const NEVER: TimeMark = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]

/**
 * A lease that each proof renews. It is judged on both clocks: the wall clock can be stepped, and the monotonic clock
 * can stop.
 */
export class Freshness {
  readonly #clock: ResolvedClock
  readonly #maxBeaconAgeMs: number
  #provenAt = Number.NEGATIVE_INFINITY
  #provenMonotonic = Number.NEGATIVE_INFINITY
  #beaconAt = Number.POSITIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  readonly #toleranceMs: number

  /**
   * @param maxStalenessMs - How long a proof is valid.
   * @param toleranceMs - How much older its evidence may be, due to clock skew.
   */
  constructor(clock: ResolvedClock, maxStalenessMs: number, toleranceMs: number) {
    this.#clock = clock
    this.#maxBeaconAgeMs = maxStalenessMs + toleranceMs
    this.#toleranceMs = toleranceMs
  }

  /** Both clocks now. Take it before requesting the head: a response is as old as its request. */
  mark(): TimeMark {
    return [this.#clock.judged(), this.#clock.monotonic()]
  }

  /**
   * Records a proof that was requested at `mark`.
   *
   * @param beaconAt - The time of the newest evidence that the log is complete; omitted if the log cannot be
   * incomplete.
   */
  prove([wall, monotonic]: TimeMark, beaconAt = Number.POSITIVE_INFINITY): void {
    if (monotonic < this.#askedAt) return
    this.#askedAt = monotonic
    this.#provenAt = wall
    // Evidence also expires on the monotonic clock, because the wall clock may be stopped.
    const isOld = beaconAt > Number.NEGATIVE_INFINITY && beaconAt < wall - this.#toleranceMs
    this.#provenMonotonic = isOld ? monotonic - (wall - this.#toleranceMs - beaconAt) : monotonic
    this.#beaconAt = beaconAt
  }

  /** Revokes every proof: nothing is fresh until the next one. */
  revoke(): void {
    this.#provenAt = Number.NEGATIVE_INFINITY
    this.#provenMonotonic = Number.NEGATIVE_INFINITY
    this.#askedAt = Number.NEGATIVE_INFINITY
  }

  /** Whether there is a proof that has not been revoked. */
  get proven(): boolean {
    return this.#provenMonotonic !== Number.NEGATIVE_INFINITY
  }

  /** Whether the last proof is at most `maxAgeMs` old at wall time `now`. */
  within(maxAgeMs: number, now: number): boolean {
    const wall = now - this.#provenAt
    // A wall clock before the proof was stepped back by an unknown amount, so the lease is void.
    return (
      wall >= 0 &&
      wall <= maxAgeMs &&
      this.#clock.monotonic() - this.#provenMonotonic <= maxAgeMs &&
      now - this.#beaconAt <= this.#maxBeaconAgeMs
    )
  }

  /** The age of the last proof in milliseconds, the larger of both clocks; infinite if there is none. */
  age(): number {
    const now = this.#clock.judged()
    const wall = now - this.#provenAt
    if (wall < 0 || now - this.#beaconAt > this.#maxBeaconAgeMs) return Number.POSITIVE_INFINITY
    return Math.max(wall, this.#clock.monotonic() - this.#provenMonotonic)
  }
}
