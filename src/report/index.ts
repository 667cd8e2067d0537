/**
 * Reports about all tokens of an authority, and a page that shows them: `watchword/report`.
 *
 * @module
 */

export type { CoverageGap } from '../verbs/usage-coverage.js'
export { renderHtml } from './html/page.js'
export { impact } from './impact.js'
export { minimise } from './minimise.js'
export type { Progress, ReportOptions, SprawlOptions } from './options.js'
export type { ReportedAuthority } from './source.js'
export { sprawl } from './sprawl.js'
export type { ReportTarget } from './target.js'
export type {
  Bar,
  Caller,
  Coverage,
  DayUse,
  Finding,
  FindingKind,
  ImpactReport,
  Interval,
  MinimiseReport,
  Report,
  ReportHead,
  Risk,
  SprawlReport,
  TokenNeed,
} from './types.js'
