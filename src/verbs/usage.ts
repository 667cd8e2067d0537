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
import { readUsageRows } from '../store/checked-usage.js'
import { isUlid } from '../token/claims.js'
import type { Core } from './core.js'
import { type OwnUsage, readGaps } from './usage-gaps.js'
import type { TokenUsage, UsageNotKept } from './usage-report.js'
import { UsageTotals } from './usage-totals.js'

/** What to report: one token, or every token of a family. */
export type UsageTarget = { readonly id: string } | { readonly family: string }

/** The parameters of `tokens.usage`. */
export interface TokenUsageOptions {
  /** How far back, from a minute to ten years. Default: `'30d'`. */
  readonly since?: Duration
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

const MANY = 'a report is about one token or family: for more, use impact of watchword/report'

const HINTS = {
  token: 'pass { id }, such as the id of the issued token or of the result of verify',
  ...{ subject: MANY, policy: MANY, audience: MANY, key: MANY, all: MANY },
}

/** Reports the use of a token or a family. */
export async function tokenUsage(
  core: Core,
  own: OwnUsage | undefined,
  rawTarget: unknown,
  rawOptions: unknown,
): Promise<TokenUsage | UsageNotKept> {
  const { id, family } = parseInput(targetSchema, rawTarget, 'target', HINTS)
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
  const totals = new UsageTotals()
  for (const row of await core.callStore(() => readUsageRows(own.part, ids, from - MAX_SKEW_MS)))
    totals.add(row)
  return {
    kept: true,
    from,
    to,
    ...totals.result(),
    coverage: { complete: gaps.length === 0, gaps },
  }
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
