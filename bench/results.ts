/**
 * The result of a case, and the content of `results.json`.
 *
 * @module
 */

/** The time of one operation of one contender. */
export interface Timing {
  readonly name: string
  readonly kind: 'ours' | 'peer' | 'baseline'
  /** Nanoseconds: the median of the rounds' medians. */
  readonly median: number
  /** Nanoseconds: of all samples, each the mean of one batch of operations. */
  readonly p95: number
  /** Nanoseconds: the median deviation of the rounds' medians. */
  readonly mad: number
  /** Nanoseconds: the median of each round, in order. */
  readonly rounds: readonly number[]
  /** How many operations were timed, every result of which was as expected. */
  readonly checked: number
}

/** A figure that is not the time of an operation. */
export interface Figure {
  readonly name: string
  readonly kind: 'ours' | 'peer' | 'baseline'
  readonly value: number
  readonly unit: string
}

/** What one case found out. */
export interface CaseResult {
  readonly name: string
  readonly title: string
  readonly about: readonly string[]
  readonly timings: readonly Timing[]
  readonly figures: readonly Figure[]
  /** The contender of ours that the table compares with; absent where nothing is timed. */
  readonly reference?: string
  /** By contender of ours, by peer or reference: the median, over the rounds, of their time by our time. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** How much time a run may take. */
export interface Settings {
  readonly quick: boolean
  readonly rounds: number
  /** The time of one contender in one round, in milliseconds. */
  readonly sliceMs: number
}

/** One case. */
export interface Case {
  readonly name: string
  run(settings: Settings): Promise<CaseResult>
}
