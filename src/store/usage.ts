/**
 * The optional part of a store that keeps how tokens are used: counters by token, hour and process, and what these
 * processes have reported.
 *
 * A process counts in memory and writes its totals again and again, so a repeated or late write changes nothing. It
 * writes the rows first and extends its {@link UsageLife} afterwards: a report can trust the rows of an interval that a
 * life covers, and knows every interval that none covers.
 *
 * Maximum lengths in UTF-16 units: node 256, codes and lives 64, scopes 128, address 64, route 256, user agent 256.
 * Maximum numbers in one row: 64 codes, 64 scopes, 8 callers.
 *
 * @module
 */

/** The use of a token with a scope. */
export interface ScopeUse {
  readonly scope: string
  /** The number of accepted requests that required it. */
  readonly uses: number
  readonly lastUsedAt: number
}

/** The use of a token by one caller. */
export interface CallerUse {
  /** The network address, or empty if unknown. */
  readonly address: string
  /** The route, or empty if unknown. */
  readonly route: string
  /** The user agent, or empty if unknown. */
  readonly userAgent: string
  readonly requests: number
}

/** What one process counted for one token in one hour. Identified by `id`, `from` and `life`. */
export interface UsageRow {
  /** The id of the token. Its record may be missing. */
  readonly id: string
  /** The start of the UTC hour or, once folded, of the UTC day. */
  readonly from: number
  /** The life that counted it. */
  readonly life: string
  /** The number of accepted requests. Never decreases from one write of a row to the next. */
  readonly requests: number
  /** The number of rejected requests, by code. */
  readonly refused: Readonly<Record<string, number>>
  /** The first and the last accepted request; `null` if there is none. */
  readonly firstUsedAt: number | null
  readonly lastUsedAt: number | null
  readonly scopes: readonly ScopeUse[]
  readonly callers: readonly CallerUse[]
  /** The number of accepted requests by further callers. */
  readonly others: number
}

/** One run of a process that counts: from its start until it ended, or was last heard of. */
export interface UsageLife {
  /** ULID. Primary key. */
  readonly life: string
  /** The name of the node. */
  readonly node: string
  /** When it started to count. */
  readonly from: number
  /** Everything up to this time is in the store, except in `gaps`. Only ever moves forward. */
  readonly to: number
  /** When it stopped counting, by its own report or by another process that knows that it has ended. Set once. */
  readonly endedAt: number | null
  /** Intervals of which it lost some counts, in ascending order and apart from each other; at most 64. */
  readonly gaps: readonly UsageGap[]
}

/** An interval of which a process lost some counts. */
export interface UsageGap {
  readonly from: number
  readonly to: number
}

/** The rows to read. */
export interface UsageQuery {
  /** The ids of 1 to 1,000 tokens. */
  readonly ids: readonly string[]
  /** Only rows whose hour or day ends after this time. */
  readonly since: number
}

/** One page of rows, in ascending order of `id`, `from` and `life`. */
export interface UsagePage {
  /** Only rows after this one. */
  readonly after?: Pick<UsageRow, 'id' | 'from' | 'life'>
  /** The maximum number of rows to return, at least 1. */
  readonly limit: number
}

/** The times up to which rows of usage are folded and removed. */
export interface UsagePurge {
  /** The hours that end at or before this time are summed into one row for each token, UTC day and life. */
  readonly foldUntil: number
  /** The rows that end, and the lives that ended, at or before this time are removed. */
  readonly removeUntil: number
}

/** The part of a store that keeps usage. */
export interface UsageStore {
  /**
   * Inserts or replaces rows of hours, all or none of one call. A stored row is replaced only by one with at least as
   * many requests, accepted and rejected together, so a repeated or late write never counts twice and never takes a
   * count back. At most 1,000 rows, in any order; of several for one key, the last of those with the most requests
   * counts.
   *
   * A row is skipped if its hour ends at or before the latest time of any `purge`: the hour was folded or removed.
   * Returns that time, 0 if there was none. A caller whose rows were skipped has lost these counts and reports a gap.
   */
  mergeRows(rows: readonly UsageRow[]): Promise<number>

  /** Returns the page of rows. A row that cannot exist is missing. */
  listRows(query: UsageQuery, page: UsagePage): Promise<readonly UsageRow[]>

  /**
   * Inserts or updates a life: keeps `node` and `from`, moves `to` forward, sets `endedAt` once, and adds the gaps.
   * Gaps that overlap or touch are joined and, as long as there are more than 64, the two with the least time between
   * them. Idempotent.
   */
  mergeLife(life: UsageLife): Promise<void>

  /** Returns the lives that have not ended, or that ended after this time, in ascending order of `life`. */
  listLives(since: number): Promise<readonly UsageLife[]>

  /**
   * Folds hours, then removes rows and lives. Folding adds up all counts, keeps the earliest and latest times, every
   * scope and code, and the 8 callers with the most requests in the summed rows; the requests of the rest are added to
   * `others`. Safe to interrupt, to repeat and to call from several processes at once: no row is ever counted twice or
   * lost. Changes nothing else in the store.
   */
  purge(until: UsagePurge): Promise<void>
}
