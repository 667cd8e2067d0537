/**
 * The reports and what they are made of.
 *
 * @module
 */
import type { KeyInfo } from '../keys/key-info.js'
import type { CoverageGap } from '../verbs/usage-coverage.js'

/** What is wrong with a token. */
export type FindingKind =
  /**
   * Issued within the window and never accepted. Not reported of a token that is younger than 7 days, or than the window
   * if that is shorter: it may not be deployed yet.
   */
  | 'never_used'
  /** Issued before the window and not accepted within it. */
  | 'idle'
  /** Has granted scopes that no request within the window required. Of the same age as for `never_used`. */
  | 'over_scoped'
  /** Lives longer than `longLived`. */
  | 'long_lived'
  /** Due for rotation, and not rotated. */
  | 'overdue_rotation'
  /** The subject has more live tokens of the policy than `tooMany`. */
  | 'too_many'
  /** Issued under a former version of its policy, or under a policy that this authority does not have. */
  | 'old_policy'
  /** Sealed by a key that was replaced more than once since. */
  | 'old_key'
  /** Suspended or restricted at present. */
  | 'restricted'
  /** Has no owner. */
  | 'no_owner'
  /**
   * Whether it was used cannot be told: the evidence names the node and the interval that are missing. Of the same age as
   * for `never_used`.
   */
  | 'unknown'

/** How urgent a finding is. */
export type Risk =
  /** An unused token can only do harm: act now. */
  | 'high'
  /** Plan it. */
  | 'medium'
  /** Worth knowing. */
  | 'low'

/** One finding about one live token. */
export interface Finding {
  /** What is wrong. */
  readonly kind: FindingKind
  /** How urgent it is. */
  readonly risk: Risk
  /** The id of the token; for `too_many`, of one of the subject's tokens. */
  readonly id: string
  /** The subject of the token. */
  readonly subject: string
  /** The policy of the token. */
  readonly policy: string
  /** The owner of the token, if it has one. */
  readonly owner: string | null
  /** What was measured. */
  readonly evidence: string
  /** What to do about it. */
  readonly remedy: string
}

/** An interval, in Unix milliseconds. */
export interface Interval {
  readonly from: number
  readonly to: number
}

/** How much of the window the recorded use covers. */
export interface Coverage {
  /** Whether all use within the window is recorded. */
  readonly complete: boolean
  /** What is missing. Empty if `complete`, and if the store keeps no usage. */
  readonly gaps: readonly CoverageGap[]
  /** Whether the store keeps usage. */
  readonly kept: boolean
}

/** One bar of a histogram. */
export interface Bar {
  readonly label: string
  readonly count: number
}

/** The use of all tokens on one UTC day. */
export interface DayUse {
  /** Its start, in Unix milliseconds. */
  readonly day: number
  /** The number of accepted requests. */
  readonly requests: number
  /** The number of rejected requests with an authentic token. */
  readonly refused: number
}

/** What every report begins with. */
export interface ReportHead {
  /** The issuer of the authority. */
  readonly issuer: string
  /** When the report was made, in Unix milliseconds. */
  readonly at: number
  /** The interval whose use was read. It ends when the use was last written. */
  readonly window: Interval
  /** How much of the window the recorded use covers. */
  readonly coverage: Coverage
}

/** The inventory of all live tokens, with what is wrong with them. */
export interface SprawlReport extends ReportHead {
  /** Always `sprawl`. */
  readonly kind: 'sprawl'
  /** The numbers of tokens: `stored`, `live` and `corrupt`. */
  readonly tokens: {
    /** The number of stored tokens. */
    readonly stored: number
    /** Those that are neither expired nor revoked nor superseded. */
    readonly live: number
    /** The number of rows that were edited in the database or do not parse. */
    readonly corrupt: number
  }
  /** The number of findings of each kind. */
  readonly counts: Readonly<Record<FindingKind, number>>
  /** Up to `limit` findings of each kind, the most urgent first. */
  readonly findings: readonly Finding[]
  /** Live tokens by policy, most first. */
  readonly policies: readonly Bar[]
  /** Live tokens by owner, most first: the first 100, and the others as one. */
  readonly owners: readonly Bar[]
  /** Live tokens by age. */
  readonly ages: readonly Bar[]
  /** Live tokens by the time that they have left. */
  readonly expiries: readonly Bar[]
  /** The use on each day of the window. */
  readonly days: readonly DayUse[]
  /** The keys, as in `keys.list()`. */
  readonly keys: readonly KeyInfo[]
  /** The freshness of the node that made the report, as in `health()`. */
  readonly fleet: {
    readonly node: string
    readonly status: 'live' | 'stale' | 'closed'
    /** In milliseconds; infinite if never proved. */
    readonly freshnessMs: number
    readonly maxStalenessMs: number
    readonly lag: number
    readonly incidents: Readonly<Record<string, number>>
  }
}

/** What one token needs. */
export interface TokenNeed {
  /** The id of the token. */
  readonly id: string
  /** The subject of the token. */
  readonly subject: string
  /** The policy of the token. */
  readonly policy: string
  /** The scopes of the token. */
  readonly granted: readonly string[]
  /** The scopes that requests within the window required. */
  readonly exercised: readonly string[]
  /** The smallest scopes that cover what was exercised; `null` if the use is not known completely. */
  readonly proposal: readonly string[] | null
  /** The granted scopes that the proposal gives up, as a whole or in part. */
  readonly lost: readonly string[]
}

/** The smallest scopes that cover what was exercised. */
export interface MinimiseReport extends ReportHead {
  /** Always `minimise`. */
  readonly kind: 'minimise'
  /** The number of live tokens of the target. */
  readonly live: number
  /** Up to `limit` of them, oldest first. */
  readonly tokens: readonly TokenNeed[]
  /** The scopes that would do for every token of the target; `null` if the use is not known completely. */
  readonly proposal: readonly string[] | null
}

/** Who uses tokens. */
export interface Caller {
  /** The network address, or empty if unknown. */
  readonly address: string
  /** The route, or empty if unknown. */
  readonly route: string
  /** The user agent, or empty if unknown. */
  readonly userAgent: string
  readonly requests: number
}

/** What stops working when the target is revoked. */
export interface ImpactReport extends ReportHead {
  /** Always `impact`. */
  readonly kind: 'impact'
  /** The number of live tokens that a revocation would reject. */
  readonly live: number
  /** How many of them were accepted within the window. */
  readonly used: number
  /** Up to `limit` ids of used tokens, those with the most requests first. */
  readonly usedIds: readonly string[]
  /** The first accepted request within the window, in Unix milliseconds; `null` if there is none. */
  readonly firstUsedAt: number | null
  /** The last accepted request within the window, in Unix milliseconds; `null` if there is none. */
  readonly lastUsedAt: number | null
  /** The number of accepted requests within the window. */
  readonly requests: number
  /** Their average for each day of the window. */
  readonly requestsPerDay: number
  /** Up to `limit` callers, those with the most requests first. */
  readonly callers: readonly Caller[]
  /** The number of accepted requests by callers that were not recorded one by one. */
  readonly otherRequests: number
  /** The scopes that were required, most requests first. */
  readonly scopes: readonly { readonly scope: string; readonly uses: number }[]
}

/** Any report. */
export type Report = SprawlReport | MinimiseReport | ImpactReport
