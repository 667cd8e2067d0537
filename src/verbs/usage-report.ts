/**
 * What is reported of the usage of tokens.
 *
 * @module
 */
import type { CallerUse, ScopeUse } from '../store/usage.js'
import type { CoverageGap } from './usage-coverage.js'

/** What a report knows. */
export interface UsageCoverage {
  /**
   * Whether the report has every use of the interval. Otherwise, 0 requests do not mean that the token was not used.
   */
  readonly complete: boolean
  /**
   * The intervals of which counts are missing, in ascending order. The last minute of every other running node is one,
   * because it has not written it yet.
   */
  readonly gaps: readonly CoverageGap[]
}

/** How a token or a family was used. */
export interface TokenUsage {
  /** Whether the store keeps usage. */
  readonly kept: true
  /**
   * The start of the interval: `since`, or when the token was issued if that is later. Counts are kept by hour, and by
   * day after two days: those of the hour or day of the start are included.
   */
  readonly from: number
  /** The end of the interval: when the report was made. */
  readonly to: number
  /** The number of accepted requests. */
  readonly requests: number
  /** The number of rejected requests, by code. Tokens that are not authentic are not counted. */
  readonly refused: Readonly<Record<string, number>>
  /** The first accepted request of the interval, in Unix milliseconds; `null` if there is none. */
  readonly firstUsedAt: number | null
  /** The last accepted request: the end of its minute, or the time of the report. `null` if there is none. */
  readonly lastUsedAt: number | null
  /**
   * The scopes that accepted requests required, by falling number of uses. Of `anyOf`, every scope that the token has.
   */
  readonly scopes: readonly ScopeUse[]
  /** The callers that guards saw, by falling number of requests: at most eight for each token, node and hour. */
  readonly callers: readonly CallerUse[]
  /** The number of accepted requests by further callers. */
  readonly others: number
  /** What the report knows. */
  readonly coverage: UsageCoverage
}

/** The report for a store that keeps no usage. */
export interface UsageNotKept {
  readonly kept: false
  readonly from: number
  readonly to: number
  /** One gap: the whole interval. */
  readonly coverage: UsageCoverage
}
