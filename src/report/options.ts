/**
 * The options of reports.
 *
 * @module
 */
import * as z from 'zod/mini'
import { DAY, type Duration, HOUR, parseDuration } from '../lib/duration.js'
import { optional, strict } from '../lib/schema.js'

/** Progress of a report. */
export interface Progress {
  /** The number of tokens that were read. */
  readonly done: number
  /** The number of tokens to read, as counted at the start. */
  readonly total: number
}

/** Options of every report. */
export interface ReportOptions {
  /** How far back the report looks, from one hour to a year. Default: `'30d'`. */
  readonly window?: Duration
  /** The maximum number of entries in each list, 1 to 100,000. Totals count everything. Default: 1,000. */
  readonly limit?: number
  /** Called after each page of tokens. An error that it throws rejects the report. Default: nothing. */
  readonly onProgress?: (progress: Progress) => void
}

/** Options of {@link sprawl}. */
export interface SprawlOptions extends ReportOptions {
  /** Tokens with a longer lifetime are `long_lived`. Default: `'365d'`. */
  readonly longLived?: Duration
  /** Subjects with more live tokens of one policy have `too_many`. Default: 10. */
  readonly tooMany?: number
}

const duration = (least: number, most: number, message: string) =>
  optional(
    z.custom<Duration>((value) => {
      const ms = parseDuration(value)
      return ms !== undefined && ms >= least && ms <= most
    }, message),
  )

const count = (max: number) =>
  optional(
    z.custom<number>(
      (value) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max,
      `expected a whole number from 1 to ${max}`,
    ),
  )

const shape = {
  window: duration(
    HOUR,
    365 * DAY,
    "expected a duration from 1h to 365d, such as '30d' (ms, s, m, h, d or w)",
  ),
  limit: count(100_000),
  onProgress: optional(
    z.custom<(progress: Progress) => void>(
      (value) => typeof value === 'function',
      'expected a function',
    ),
  ),
}

/** The schema of {@link ReportOptions}. */
export const reportSchema = strict(shape)

/** The schema of {@link SprawlOptions}. */
export const sprawlSchema = strict({
  ...shape,
  longLived: duration(1, 3650 * DAY, "expected a duration of at most 3650d, such as '365d'"),
  tooMany: count(1_000_000),
})

const WINDOW_MS = 30 * DAY
const LIMIT = 1000

/** The parts that every report has in common, with defaults filled in. */
export function resolved({ window, limit, onProgress }: z.output<typeof reportSchema>) {
  return {
    windowMs: window === undefined ? WINDOW_MS : (parseDuration(window) as number),
    limit: limit ?? LIMIT,
    onProgress: onProgress ?? (() => {}),
  }
}
