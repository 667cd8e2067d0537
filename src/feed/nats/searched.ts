/**
 * The messages that a backward search of a stream has checked and found not to be frames.
 *
 * Messages never change, so a search that was interrupted continues from here.
 *
 * @module
 */

interface Range {
  low: number
  high: number
}

// In a stream restored from a backup, a number may hold another message. Consecutive searches follow one another faster
// than this.
const FORGET_MS = 30_000

/** The numbers of one stream that hold no frame. */
export class Searched {
  #created = ''
  #at = Number.NEGATIVE_INFINITY
  // Ascending and disjoint.
  #ranges: Range[] = []

  /** Begins a search, or continues one of the stream created at that time. */
  begin(created: string, lastSeq: number): void {
    const now = performance.now()
    const highest = this.#ranges.at(-1)?.high ?? 0
    if (created !== this.#created || lastSeq < highest || now - this.#at > FORGET_MS)
      this.#ranges = []
    this.#created = created
    this.#at = now
  }

  /** The highest number up to this one that was not searched. */
  below(high: number): number {
    const range = this.#ranges.find((each) => each.low <= high && high <= each.high)
    return range === undefined ? high : range.low - 1
  }

  /** The lower end of the unsearched range below a number. */
  floorOf(high: number): number {
    const below = this.#ranges.filter((each) => each.high < high).at(-1)
    return below === undefined ? 1 : below.high + 1
  }

  /** Records that these numbers were searched. */
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
