/**
 * Freshness: how long ago this node last proved that its position was the head of the log.
 *
 * @module
 */
import type { ResolvedClock } from '../clock.js'

/** A lease that each proof renews, judged on both clocks: the wall clock can be stepped, the other one can stand still. */
export class Freshness {
  readonly #clock: ResolvedClock
  #provenAt = Number.NEGATIVE_INFINITY
  #provenMonotonic = Number.NEGATIVE_INFINITY

  constructor(clock: ResolvedClock) {
    this.#clock = clock
  }

  /** The two clocks now: take it before asking for the head, since the answer is as old as the question. */
  mark(): readonly [wall: number, monotonic: number] {
    return [this.#clock.judged(), this.#clock.monotonic()]
  }

  /** Notes a proof that was asked for at `mark`. */
  prove([wall, monotonic]: readonly [number, number]): void {
    this.#provenAt = wall
    this.#provenMonotonic = Math.max(this.#provenMonotonic, monotonic)
  }

  /** Takes every proof back: until the next one, nothing is fresh. */
  revoke(): void {
    this.#provenAt = Number.NEGATIVE_INFINITY
    this.#provenMonotonic = Number.NEGATIVE_INFINITY
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
      wall >= 0 && wall <= maxAgeMs && this.#clock.monotonic() - this.#provenMonotonic <= maxAgeMs
    )
  }

  /** The age of the last proof in milliseconds, on the clock that says more; infinite when there is none. */
  age(): number {
    const wall = this.#clock.judged() - this.#provenAt
    return wall < 0
      ? Number.POSITIVE_INFINITY
      : Math.max(wall, this.#clock.monotonic() - this.#provenMonotonic)
  }
}
