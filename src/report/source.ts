/**
 * What a report reads of an authority, and the registry through which it reaches it.
 *
 * It is bound to the library's own `authenticate` function by identity, like the direct path of the guards.
 *
 * @module
 */
import type { KeyInfo } from '../keys/key-info.js'
import { invalidArgument } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import { sharedTable } from '../lib/shared-table.js'
import type { Limits } from '../policy/limits.js'
import type { Policy } from '../policy/policy.js'
import type { UsageRow } from '../store/usage.js'
import type { VerifyResult } from '../types.js'
import type { TokenCountQuery, TokenInfo, TokenPage, TokenQuery } from '../verbs/inputs.js'
import type { UsageWindow } from '../verbs/usage-coverage.js'

/** The methods of an authority by which a report recognizes it. The result of `createWatchword` has them. */
export interface ReportedAuthority {
  authenticate(token: unknown): Promise<VerifyResult<unknown>>
}

/** The recorded use of tokens. */
export interface UseSource {
  /**
   * Writes what this process has counted. Resolves with a window of this length that ends when all running nodes had
   * written theirs, and with its gaps.
   */
  window(lengthMs: number): Promise<UsageWindow>
  /** The rows of up to 1,000 tokens whose hour or day ends after this time. */
  rows(ids: readonly string[], since: number): Promise<readonly UsageRow[]>
}

/** The freshness of a node. */
export interface NodeState {
  readonly node: string
  readonly status: 'live' | 'stale' | 'closed'
  readonly freshnessMs: number
  readonly maxStalenessMs: number
  readonly lag: number
  readonly incidents: Readonly<Partial<Record<string, number>>>
}

/** What a report reads of an authority. */
export interface ReportSource {
  readonly issuer: string
  now(): number
  policy(name: string): Policy | undefined
  /** What restricts a token at present. */
  limits(token: TokenInfo): Limits | undefined
  get(id: string): Promise<TokenInfo | undefined>
  list(query: TokenQuery): Promise<TokenPage>
  count(query: TokenCountQuery): Promise<number>
  keys(): readonly KeyInfo[]
  state(): NodeState
  /** Absent if the store keeps no usage. */
  readonly usage: UseSource | undefined
}

const table = sharedTable<ReportSource>('watchword.report.1')

/** Registers what reports read of the authority that has this `authenticate` function. */
export function registerReportSource(authenticate: object, source: ReportSource): void {
  table.set(authenticate, source)
}

/** What a report reads of an authority. Throws `ERR_INVALID_ARGUMENT` for anything else. */
export function sourceOf(authority: unknown): ReportSource {
  const isObject = typeof authority === 'object' && authority !== null
  const { authenticate } = isObject ? (authority as ReportedAuthority) : { authenticate: undefined }
  // A WeakMap returns `undefined` for every value that is not one of its keys, primitives included.
  const source = table.get(authenticate as unknown as object)
  if (source !== undefined) return source
  throw invalidArgument(
    'authority',
    `expected the result of createWatchword, got ${describe(authority)}`,
  )
}
