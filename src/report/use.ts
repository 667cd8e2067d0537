/**
 * The use of each token within the window, merged from the rows of all nodes.
 *
 * @module
 */
import { DAY } from '../lib/duration.js'
import type { UsageRow } from '../store/usage.js'
import type { TokenInfo } from '../verbs/inputs.js'
import type { CoverageGap } from '../verbs/usage-coverage.js'
import type { ReportSource } from './source.js'
import type { Coverage, DayUse, Interval } from './types.js'

/** The merged use of one token. */
export interface TokenUse {
  readonly token: TokenInfo
  requests: number
  /** The last accepted request, also from before the window. */
  lastUsedAt: number | null
  /** The scopes that requests required, with the number of these requests. */
  readonly scopes: Map<string, number>
}

/** A window that ends when the use was last written, and what is known about it. */
export interface Span {
  readonly at: number
  readonly window: Interval
  readonly coverage: Coverage
}

/** The window of this length that ends now, and the intervals within it that the recorded use does not cover. */
export async function spanOf({ usage, now }: ReportSource, windowMs: number): Promise<Span> {
  const at = now()
  if (usage === undefined) {
    const window = { from: at - windowMs, to: at }
    return { at, window, coverage: { complete: false, gaps: [], kept: false } }
  }
  const { from, to, gaps } = await usage.window(windowMs)
  return { at, window: { from, to }, coverage: { complete: gaps.length === 0, gaps, kept: true } }
}

/** The first gap within an interval; `undefined` if there is none. */
export const gapWithin = ({ gaps }: Coverage, { from, to }: Interval): CoverageGap | undefined =>
  gaps.find((gap) => gap.from < to && gap.to > from)

/** The use of each of up to 1,000 tokens since a time. `visit` sees every row. */
export async function readUse(
  { usage }: ReportSource,
  tokens: readonly TokenInfo[],
  since: number,
  visit: (row: UsageRow) => void = () => {},
): Promise<ReadonlyMap<string, TokenUse>> {
  const uses = new Map<string, TokenUse>()
  for (const token of tokens)
    uses.set(token.id, { token, requests: 0, lastUsedAt: token.lastUsedAt, scopes: new Map() })
  if (usage === undefined || uses.size === 0) return uses
  for (const row of await usage.rows([...uses.keys()], since)) {
    visit(row)
    const use = uses.get(row.id)
    if (use !== undefined) add(use, row)
  }
  return uses
}

function add(use: TokenUse, row: UsageRow): void {
  use.requests += row.requests
  if (row.lastUsedAt !== null) use.lastUsedAt = Math.max(use.lastUsedAt ?? 0, row.lastUsedAt)
  for (const { scope, uses } of row.scopes)
    use.scopes.set(scope, (use.scopes.get(scope) ?? 0) + uses)
}

/** The use of all tokens by UTC day. */
export class Days {
  readonly #days = new Map<number, { requests: number; refused: number }>()

  add({ from, requests, refused }: UsageRow): void {
    const day = Math.floor(from / DAY) * DAY
    const sum = this.#days.get(day) ?? { requests: 0, refused: 0 }
    this.#days.set(day, sum)
    sum.requests += requests
    for (const count of Object.values(refused)) sum.refused += count
  }

  /** Every day of the window, also those without use. */
  within({ from, to }: Interval): readonly DayUse[] {
    const first = Math.floor(from / DAY) * DAY
    const count = Math.floor((to - first) / DAY) + 1
    return Array.from({ length: count }, (_, i) => {
      const day = first + i * DAY
      return { day, ...(this.#days.get(day) ?? { requests: 0, refused: 0 }) }
    })
  }
}
