/**
 * What stops working when tokens are revoked.
 *
 * @module
 */
import { DAY } from '../lib/duration.js'
import { parseInput } from '../lib/schema.js'
import type { UsageRow } from '../store/usage.js'
import { type ReportOptions, reportSchema, resolved } from './options.js'
import { type ReportedAuthority, sourceOf } from './source.js'
import { countOf, pagesOf, parseReportTarget, type ReportTarget } from './target.js'
import { Top } from './top.js'
import type { Caller, ImpactReport } from './types.js'
import { readUse, spanOf } from './use.js'

// Callers beyond this number are counted as one.
const MAX_CALLERS = 100_000

/**
 * Reports who uses the live tokens of a target, and how much: what a revocation of the same target would reject. Rejects
 * with `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { impact } from 'watchword/report'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * const { live, used, requestsPerDay, callers } = await impact(watchword, { subject: 'svc_billing' })
 * console.log(`${used} of ${live} tokens are in use by ${callers.length} callers: ${requestsPerDay} requests a day`)
 * await watchword.close()
 * ```
 */
export async function impact(
  authority: ReportedAuthority,
  target: ReportTarget,
  options: ReportOptions = {},
): Promise<ImpactReport> {
  const source = sourceOf(authority)
  const parsed = parseReportTarget(target)
  const { windowMs, limit, onProgress } = resolved(parseInput(reportSchema, options, 'options'))
  const { at, window, coverage } = await spanOf(source, windowMs)
  const total = await countOf(source, parsed)
  const sum = new Sum(limit)
  let live = 0
  for await (const page of pagesOf(source, parsed)) {
    live += page.length
    const uses = await readUse(source, page, window.from, (row) => sum.add(row))
    for (const [id, { requests }] of uses) if (requests > 0) sum.used(id, requests)
    onProgress({ done: live, total: Math.max(total, live) })
  }
  const perDay = (sum.requests * DAY) / windowMs
  return {
    kind: 'impact',
    issuer: source.issuer,
    at,
    window,
    coverage,
    live,
    requestsPerDay: perDay < 10 ? Math.round(perDay * 10) / 10 : Math.round(perDay),
    ...sum.result(),
  }
}

/** The use of all tokens of the target. */
class Sum {
  requests = 0
  #used = 0
  #others = 0
  #firstUsedAt: number | null = null
  #lastUsedAt: number | null = null
  readonly #limit: number
  readonly #ids: Top<{ readonly id: string; readonly requests: number }>
  readonly #callers = new Map<string, { -readonly [Field in keyof Caller]: Caller[Field] }>()
  readonly #scopes = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
    this.#ids = new Top(limit, ({ requests }) => requests)
  }

  add({ requests, firstUsedAt, lastUsedAt, scopes, callers, others }: UsageRow): void {
    this.requests += requests
    if (firstUsedAt !== null)
      this.#firstUsedAt = Math.min(this.#firstUsedAt ?? Infinity, firstUsedAt)
    if (lastUsedAt !== null) this.#lastUsedAt = Math.max(this.#lastUsedAt ?? 0, lastUsedAt)
    for (const { scope, uses } of scopes)
      this.#scopes.set(scope, (this.#scopes.get(scope) ?? 0) + uses)
    this.#others += others
    for (const caller of callers) this.#addCaller(caller)
  }

  #addCaller({ address, route, userAgent, requests }: Caller): void {
    const key = JSON.stringify([address, route, userAgent])
    const known = this.#callers.get(key)
    if (known !== undefined) known.requests += requests
    else if (this.#callers.size >= MAX_CALLERS) this.#others += requests
    else this.#callers.set(key, { address, route, userAgent, requests })
  }

  used(id: string, requests: number): void {
    this.#used++
    this.#ids.add({ id, requests })
  }

  result() {
    const callers = [...this.#callers.values()].sort((a, b) => b.requests - a.requests)
    const shown = callers.slice(0, this.#limit)
    const rest = callers.slice(this.#limit).reduce((sum, { requests }) => sum + requests, 0)
    const scopes = [...this.#scopes].map(([scope, uses]) => ({ scope, uses }))
    return {
      used: this.#used,
      usedIds: this.#ids.sorted().map(({ id }) => id),
      firstUsedAt: this.#firstUsedAt,
      lastUsedAt: this.#lastUsedAt,
      requests: this.requests,
      callers: shown,
      otherRequests: this.#others + rest,
      scopes: scopes.sort((a, b) => b.uses - a.uses),
    }
  }
}
