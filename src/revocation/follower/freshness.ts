/**
 * Freshness: how long ago this node last proved that its position was the head of the log.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'

/** The two clocks at one moment. */
export type TimeMark = readonly [wall: number, monotonic: number]

/** A lease that each proof renews, judged on both clocks: the wall clock can be stepped, the other one can stand still. */
export class Freshness {
  readonly #clock: ResolvedClock
  readonly #maxBeaconAgeMs: number
  #provenAt = Number.NEGATIVE_INFINITY
  #provenMonotonic = Number.NEGATIVE_INFINITY
  #beaconAt = Number.POSITIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  readonly #toleranceMs: number

  /**
   * @param maxStalenessMs - How long a proof counts.
   * @param toleranceMs - How much older than that the evidence may be which it rests on: clocks differ.
   */
  constructor(clock: ResolvedClock, maxStalenessMs: number, toleranceMs: number) {
    this.#clock = clock
    this.#maxBeaconAgeMs = maxStalenessMs + toleranceMs
    this.#toleranceMs = toleranceMs
  }

  /** The two clocks now: take it before asking for the head, since the answer is as old as the question. */
  mark(): TimeMark {
    return [this.#clock.judged(), this.#clock.monotonic()]
  }

  /**
   * Notes a proof that was asked for at `mark`.
   *
   * @param beaconAt - When the newest evidence dates from that the log is whole; left out where it cannot be otherwise.
   */
  prove([wall, monotonic]: TimeMark, beaconAt = Number.POSITIVE_INFINITY): void {
    if (monotonic < this.#askedAt) return
    this.#askedAt = monotonic
    this.#provenAt = wall
    // Evidence runs out on the steady clock as well: the wall clock may be held.
    const isOld = beaconAt > Number.NEGATIVE_INFINITY && beaconAt < wall - this.#toleranceMs
    this.#provenMonotonic = isOld ? monotonic - (wall - this.#toleranceMs - beaconAt) : monotonic
    this.#beaconAt = beaconAt
  }

  /** Takes every proof back: until the next one, nothing is fresh. */
  revoke(): void {
    this.#provenAt = Number.NEGATIVE_INFINITY
    this.#provenMonotonic = Number.NEGATIVE_INFINITY
    this.#askedAt = Number.NEGATIVE_INFINITY
  }

  /** Whether there ever was a proof that has not been taken back. */
  get proven(): boolean {
    return this.#provenMonotonic !== Number.NEGATIVE_INFINITY
  }

  /** Whether the last proof is at most `maxAgeMs` old at wall time `now`. */
  within(maxAgeMs: number, now: number): boolean {
    const wall = now - this.#provenAt
    // A wall clock that stands before the proof was stepped back: by how much is not known, so the lease is void.
    return (
      wall >= 0 &&
      wall <= maxAgeMs &&
      this.#clock.monotonic() - this.#provenMonotonic <= maxAgeMs &&
      now - this.#beaconAt <= this.#maxBeaconAgeMs
    )
  }

  /** The age of the last proof in milliseconds, on the clock that says more; infinite when there is none. */
  age(): number {
    const now = this.#clock.judged()
    const wall = now - this.#provenAt
    if (wall < 0 || now - this.#beaconAt > this.#maxBeaconAgeMs) return Number.POSITIVE_INFINITY
    return Math.max(wall, this.#clock.monotonic() - this.#provenMonotonic)
  }
}
