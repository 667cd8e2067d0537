/**
 * What a dry run reports of the tokens that it found, in bounded memory.
 *
 * @module
 */
import { Counts } from '../lib/counts.js'
import { DAY } from '../lib/duration.js'
import type { UsageRow } from '../store/usage.js'
import type { RevokePreview, TokenGroup, TokenInfo } from './inputs.js'
import type { UsageWindow } from './usage-coverage.js'
import { UsageTotals } from './usage-totals.js'

/** How far back the usage is reported. */
export const WINDOW_MS = 30 * DAY

const MAX_IDS = 1000
const MAX_GROUPS = 100
const MAX_CALLERS = 100

/** What is gathered in one pass over the tokens. */
export class PreviewTotals {
  readonly #since: number
  #matched = 0
  #used = 0
  #oldest = Number.POSITIVE_INFINITY
  #lastUsedAt: number | null = null
  readonly #ids: string[] = []
  readonly #corrupt: string[] = []
  readonly #policies = new Counts()
  readonly #subjects = new Counts()
  readonly #audiences = new Counts()
  readonly #totals = new UsageTotals()

  /** @param since - The start of the window in which a token counts as used. */
  constructor(since: number) {
    this.#since = since
  }

  add(
    tokens: readonly TokenInfo[],
    rows: readonly UsageRow[],
    corrupt: readonly string[] = [],
  ): void {
    const active = new Set<string>()
    for (const row of rows) {
      this.#totals.add(row)
      if (row.requests > 0) active.add(row.id)
      this.#noteUse(row.lastUsedAt)
    }
    for (const token of tokens) this.#addToken(token, active.has(token.id))
    this.#corrupt.push(...corrupt.slice(0, MAX_IDS - this.#corrupt.length))
  }

  #addToken(token: TokenInfo, isActive: boolean): void {
    const { id, policy, subject, audience, issuedAt, lastUsedAt } = token
    this.#matched++
    if (this.#ids.length < MAX_IDS) this.#ids.push(id)
    this.#policies.add(policy)
    this.#subjects.add(subject)
    this.#audiences.add(audience)
    this.#oldest = Math.min(this.#oldest, issuedAt)
    this.#noteUse(lastUsedAt)
    if (isActive || (lastUsedAt !== null && lastUsedAt >= this.#since)) this.#used++
  }

  #noteUse(at: number | null): void {
    if (at !== null) this.#lastUsedAt = Math.max(this.#lastUsedAt ?? 0, at)
  }

  /** @param window - `undefined` if the store keeps no usage. */
  result(
    window: UsageWindow | undefined,
    at: number,
  ): Omit<RevokePreview, 'dryRun' | 'kind' | 'value' | 'at'> {
    return {
      matched: this.#matched,
      ids: Object.freeze(this.#ids),
      policies: groupsOf(this.#policies),
      subjects: groupsOf(this.#subjects),
      audiences: groupsOf(this.#audiences),
      used: this.#used,
      lastUsedAt: this.#lastUsedAt,
      usage: this.#usage(window, at),
      ...(this.#corrupt.length === 0 ? {} : { corrupt: Object.freeze(this.#corrupt) }),
    }
  }

  #usage(window: UsageWindow | undefined, at: number): RevokePreview['usage'] {
    if (window === undefined) {
      const interval = { from: at - WINDOW_MS, to: at }
      const coverage = { complete: false, gaps: [{ node: null, ...interval }] }
      return { kept: false, ...interval, coverage }
    }
    const { to } = window
    // What is not known from before the first of the tokens was issued is not missing.
    const from = Math.min(to, Math.max(window.from, this.#oldest))
    const gaps = window.gaps
      .filter((gap) => gap.to > from)
      .map((gap) => ({ ...gap, from: Math.max(gap.from, from) }))
    const coverage = { complete: gaps.length === 0, gaps }
    return { kept: true, from, to, ...this.#totals.result(MAX_CALLERS), coverage }
  }
}

function groupsOf(counts: Counts): readonly TokenGroup[] {
  const { named, rest } = counts.largest(MAX_GROUPS)
  const groups: TokenGroup[] = named.map(([name, tokens]) => ({ name, tokens }))
  return rest === 0 ? groups : [...groups, { name: null, tokens: rest }]
}
