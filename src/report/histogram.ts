/**
 * Histograms of times.
 *
 * @module
 */
import { DAY } from '../lib/duration.js'
import type { Bar } from './types.js'

/** The upper bounds of the bars in days, and the labels. */
const BARS = [
  [1, 'under 1 day'],
  [7, '1 to 7 days'],
  [30, '7 to 30 days'],
  [90, '30 to 90 days'],
  [365, '90 to 365 days'],
  [Number.POSITIVE_INFINITY, 'over 365 days'],
] as const

/** Counts times by their length. */
export class Histogram {
  readonly #bars = BARS.map(([days, label]) => ({ below: days * DAY, label, count: 0 }))

  add(ms: number): void {
    for (const bar of this.#bars) {
      if (ms >= bar.below) continue
      bar.count++
      return
    }
  }

  bars(): readonly Bar[] {
    return this.#bars.map(({ label, count }) => ({ label, count }))
  }
}
