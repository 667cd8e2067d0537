/**
 * What a run finds out, and what `results.json` holds. Times are microseconds.
 *
 * @module
 */

/** One contender, one call at a time and with many in flight. */
export interface OperationLine {
  readonly single: Figure
  readonly flight: Figure
}

/** The time of one call; of many in flight, the time of all by their number. */
export interface Figure {
  readonly median: number
  readonly p95: number
  /** By the time of the raw look-up, taken in the same way. */
  readonly ratio: number
  /** How many results were timed, each of which was as expected. */
  readonly checked: number
}

/** A page of the few tokens and of the many. */
export interface PageLine {
  readonly small: Figure
  readonly large: Figure
  /** By how much the page of the many takes longer. */
  readonly growth: number
}

/** A thousand tokens in one step, for each token. */
export interface BulkFigures {
  readonly many: number
  readonly single: number
  /** How many times the rate of single issues. */
  readonly gain: number
}

export interface ClientResult {
  readonly operations: Readonly<Record<string, OperationLine>>
  readonly pages: Readonly<Record<string, PageLine>>
  readonly bulk: BulkFigures
}

export interface PlaceResult {
  readonly title: string
  /** How many tokens the few and the many are. */
  readonly small: number
  readonly large: number
  /** Why there are not as many as were asked for; empty where there are. */
  readonly note: string
  readonly rowsPerSecond: number
  readonly clients: Readonly<Record<string, ClientResult>>
}

/** What was to be reached. */
export interface Bar {
  readonly what: string
  readonly value: number
  readonly bar: number
  readonly better: 'more' | 'less'
  readonly met: boolean
}
