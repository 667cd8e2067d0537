/**
 * The smallest scopes that cover what tokens were used for.
 *
 * @module
 */
import { parseInput } from '../lib/schema.js'
import { normaliseScopes } from '../policy/scopes.js'
import type { TokenInfo } from '../verbs/inputs.js'
import { type ReportOptions, reportSchema, resolved } from './options.js'
import { type ReportedAuthority, sourceOf } from './source.js'
import { countOf, pagesOf, parseReportTarget, type ReportTarget } from './target.js'
import type { Coverage, Interval, MinimiseReport, TokenNeed } from './types.js'
import { gapWithin, readUse, spanOf } from './use.js'

/**
 * Reports which scopes the live tokens of a target needed within the window, and which they could give up. Without
 * complete coverage, the proposal is `null`: a scope that seems unused may be in use. Rejects with
 * `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { minimise } from 'watchword/report'
 *
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', policies: { job: { ttl: '5m', scopes: [] } } })
 * const { proposal } = await minimise(watchword, { subject: 'svc_billing' }, { window: '90d' })
 * console.log(proposal ?? 'not known')
 * await watchword.close()
 * ```
 */
export async function minimise(
  authority: ReportedAuthority,
  target: ReportTarget,
  options: ReportOptions = {},
): Promise<MinimiseReport> {
  const source = sourceOf(authority)
  const parsed = parseReportTarget(target)
  const { windowMs, limit, onProgress } = resolved(parseInput(reportSchema, options, 'options'))
  const { at, window, coverage } = await spanOf(source, windowMs)
  const total = await countOf(source, parsed)
  const tokens: TokenNeed[] = []
  const exercised = new Set<string>()
  let live = 0
  let isKnown = true
  for await (const page of pagesOf(source, parsed)) {
    const uses = await readUse(source, page, window.from)
    for (const { token, scopes } of uses.values()) {
      live++
      for (const scope of scopes.keys()) exercised.add(scope)
      const certain = isCovered(token, coverage, window)
      isKnown &&= certain
      if (tokens.length < limit) tokens.push(needOf(token, [...scopes.keys()], certain))
    }
    onProgress({ done: live, total: Math.max(total, live) })
  }
  return {
    kind: 'minimise',
    issuer: source.issuer,
    at,
    window,
    coverage,
    live,
    tokens,
    proposal: isKnown ? normaliseScopes([...exercised]) : null,
  }
}

const isCovered = ({ issuedAt }: TokenInfo, coverage: Coverage, { from, to }: Interval): boolean =>
  coverage.kept && gapWithin(coverage, { from: Math.max(from, issuedAt), to }) === undefined

function needOf(token: TokenInfo, used: readonly string[], certain: boolean): TokenNeed {
  const { id, subject, policy, scopes } = token
  const exercised = [...used].sort()
  const proposal = certain ? normaliseScopes(exercised) : null
  // A wildcard that was used in part is lost as well, because the proposal covers less.
  const lost = proposal === null ? [] : scopes.filter((scope) => !proposal.includes(scope))
  return { id, subject, policy, granted: scopes, exercised, proposal, lost }
}
