/**
 * The messages that a backward search of a stream has checked and found not to be frames.
 *
 * A search may be given up at any time, and messages never change: the next one goes on where it stopped.
 *
 * @module
 */

interface Range {
  low: number
  high: number
}

// Where a stream was set back to a copy meanwhile, a number may hold something else. Searches follow one another faster.
const FORGET_MS = 30_000

/** The numbers of one stream that were looked at in vain. */
export class Searched {
  #created = ''
  #at = Number.NEGATIVE_INFINITY
  // Ascending, and apart from each other.
  #ranges: Range[] = []

  /** Begins or goes on with a search of the stream that was made at that time. */
  begin(created: string, lastSeq: number): void {
    const now = performance.now()
    const highest = this.#ranges.at(-1)?.high ?? 0
    if (created !== this.#created || lastSeq < highest || now - this.#at > FORGET_MS)
      this.#ranges = []
    this.#created = created
    this.#at = now
  }

  /** The highest number up to this one that was not looked at. */
  below(high: number): number {
    const range = this.#ranges.find((each) => each.low <= high && high <= each.high)
    return range === undefined ? high : range.low - 1
  }

  /** Where what was not looked at ends, below a number that was not. */
  floorOf(high: number): number {
    const below = this.#ranges.filter((each) => each.high < high).at(-1)
    return below === undefined ? 1 : below.high + 1
  }

  /** Notes that these numbers were looked at. */
  add(low: number, high: number): void {
    const touches = (each: Range): boolean => each.low <= high + 1 && each.high >= low - 1
    const joined = this.#ranges.filter(touches)
    const range = {
      low: Math.min(low, ...joined.map((each) => each.low)),
      high: Math.max(high, ...joined.map((each) => each.high)),
    }
    const apart = this.#ranges.filter((each) => !touches(each))
    this.#ranges = [...apart, range].sort((a, b) => a.low - b.low)
  }
}
