/**
 * `tokens.usage`: how a token or a family was used.
 *
 * @module
 */
import { decodeTime } from 'ulid'
import * as z from 'zod/mini'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { DAY, type Duration, MINUTE, parseDuration, YEAR } from '../lib/duration.js'
import { invalidArgument } from '../lib/invalid.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { readTokens } from '../store/checked.js'
import { readLives, readUsageRows } from '../store/checked-usage.js'
import type { CallerUse, ScopeUse, UsageLife, UsageRow, UsageStore } from '../store/usage.js'
import { isUlid } from '../token/claims.js'
import type { Core } from './core.js'
import { type CoverageGap, gapsOf } from './usage-coverage.js'

/** What to report: one token, or every token of a family. */
export type UsageTarget = { readonly id: string } | { readonly family: string }

/** The parameters of `tokens.usage`. */
export interface TokenUsageOptions {
  /** How far back, from a minute to ten years. Default: `'30d'`. */
  readonly since?: Duration
}

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

/** The usage of this process. */
export interface OwnUsage {
  readonly part: UsageStore
  /** The current life of this process. */
  readonly life: () => UsageLife
  /** Writes the counts of this process. Resolves with the time up to which they are written. */
  readonly flush: () => Promise<number>
  /** The members of the feed. */
  readonly members: () => readonly { readonly life: string; readonly name: string }[]
}

const DEFAULT_SINCE_MS = 30 * DAY
const PAGE = 1000

const ulid = z.custom<string>(isUlid, 'expected a ULID')
const targetSchema = strict(
  { id: optional(ulid), family: optional(ulid) },
  'expected { id } or { family }',
)
const optionsSchema = strict({
  since: optional(
    z.custom<Duration>((value) => {
      const ms = parseDuration(value)
      return ms !== undefined && ms >= MINUTE && ms <= 10 * YEAR
    }, "expected a duration such as '30d' (m, h, d or w), from a minute to ten years"),
  ),
})

/** Reports the use of a token or a family. */
export async function tokenUsage(
  core: Core,
  own: OwnUsage | undefined,
  rawTarget: unknown,
  rawOptions: unknown,
): Promise<TokenUsage | UsageNotKept> {
  const { id, family } = parseInput(targetSchema, rawTarget, 'target')
  const { since } = parseInput(optionsSchema, rawOptions, 'options')
  const named = id ?? family
  if (named === undefined || (id !== undefined && family !== undefined))
    throw invalidArgument('target', 'expected { id } or { family }')
  // If the counts of this process cannot be written, its life says so.
  const written = await own?.flush().catch(() => undefined)
  const to = written ?? core.clock.reading()
  const sinceMs = since === undefined ? DEFAULT_SINCE_MS : (parseDuration(since) as number)
  const from = Math.min(to, Math.max(0, to - sinceMs, decodeTime(named)))
  if (own === undefined) {
    const coverage = { complete: false, gaps: [{ node: null, from, to }] }
    return { kept: false, from, to, coverage }
  }
  // Before the rows, which then have everything that the lives cover.
  const gaps = await readGaps(core, own, from, to)
  const ids = id === undefined ? await familyIds(core, named) : [id]
  const rows = await core.callStore(() => readUsageRows(own.part, ids, from - MAX_SKEW_MS))
  return {
    kept: true,
    from,
    to,
    ...totalsOf(rows),
    coverage: { complete: gaps.length === 0, gaps },
  }
}

/** Reads the gaps of an interval. Must run before the rows are read, which then have everything that the lives cover. */
export async function readGaps(
  core: Core,
  { part, life, members }: OwnUsage,
  from: number,
  to: number,
): Promise<readonly CoverageGap[]> {
  const listed = await core.callStore(() => readLives(part, from))
  const current = life()
  // A life that could not be announced.
  const isKnown = listed.some((each) => each.life === current.life)
  const lives = isKnown ? listed : [...listed, current]
  let firstLife = earliest(listed)
  if (firstLife === undefined || firstLife > from)
    firstLife = earliest(await core.callStore(() => readLives(part, 0)))
  return gapsOf({
    from,
    to,
    lives,
    firstLife,
    keptSince: to - core.options.usage.keepMs,
    members: members(),
    maxSkewMs: MAX_SKEW_MS,
  })
}

function earliest(lives: readonly UsageLife[]): number | undefined {
  return lives.length === 0 ? undefined : Math.min(...lives.map(({ from }) => from))
}

// The first token is always one of them, even if its record was purged.
async function familyIds({ store, callStore }: Core, family: string): Promise<readonly string[]> {
  const ids = new Set([family])
  let after: string | undefined
  do {
    const page = { limit: PAGE, ...(after === undefined ? {} : { after }) }
    const rows = await callStore(() => readTokens(store, { family }, page))
    for (const row of rows) ids.add(row.id)
    after = rows.length < PAGE ? undefined : rows.at(-1)?.id
  } while (after !== undefined)
  return [...ids]
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Totals = Omit<TokenUsage, 'kept' | 'from' | 'to' | 'coverage'>

function totalsOf(rows: readonly UsageRow[]): Totals {
  let requests = 0
  let others = 0
  let firstUsedAt: number | null = null
  let lastUsedAt: number | null = null
  const refused = new Map<string, number>()
  const scopes = new Map<string, Writable<ScopeUse>>()
  const callers = new Map<string, Writable<CallerUse>>()
  for (const row of rows) {
    requests += row.requests
    others += row.others
    if (row.firstUsedAt !== null) firstUsedAt = Math.min(firstUsedAt ?? Infinity, row.firstUsedAt)
    if (row.lastUsedAt !== null) lastUsedAt = Math.max(lastUsedAt ?? 0, row.lastUsedAt)
    for (const [code, count] of Object.entries(row.refused))
      refused.set(code, (refused.get(code) ?? 0) + count)
    for (const use of row.scopes) addScope(scopes, use)
    for (const use of row.callers) addCaller(callers, use)
  }
  return {
    requests,
    refused: Object.fromEntries(refused),
    firstUsedAt,
    lastUsedAt,
    scopes: [...scopes.values()].sort((a, b) => b.uses - a.uses || (a.scope < b.scope ? -1 : 1)),
    callers: [...callers.values()].sort((a, b) => b.requests - a.requests),
    others,
  }
}

function addScope(scopes: Map<string, Writable<ScopeUse>>, use: ScopeUse): void {
  const known = scopes.get(use.scope)
  if (known === undefined) scopes.set(use.scope, { ...use })
  else {
    known.uses += use.uses
    known.lastUsedAt = Math.max(known.lastUsedAt, use.lastUsedAt)
  }
}

function addCaller(callers: Map<string, Writable<CallerUse>>, use: CallerUse): void {
  const key = JSON.stringify([use.address, use.route, use.userAgent])
  const known = callers.get(key)
  if (known === undefined) callers.set(key, { ...use })
  else known.requests += use.requests
}
