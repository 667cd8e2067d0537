/**
 * The parameters and results of the verbs.
 *
 * @module
 */
import type { Duration } from '../lib/duration.js'
import type { RevocationKind, TokenRecord } from '../store/store.js'
import type { LogPosition } from '../types.js'
import type { TokenUsage, UsageNotKept } from './usage-report.js'

/** The parameters of `issue`. */
export interface IssueInput<
  ClaimsInput = Readonly<Record<string, unknown>>,
  Policy extends string = string,
  Audience extends string = string,
  Scope extends string = string,
> {
  /** The name of a policy. */
  readonly policy: Policy
  /** The subject of the token: 1 to 1024 characters, compared exactly. */
  readonly subject: string
  /** The actor who requests it, for the record: 1 to 256 characters. */
  readonly actor: string
  /** The scopes of the token; the policy must cover each of them. Default: none, which grants nothing. */
  readonly scopes?: readonly Scope[]
  /** The audience of the token. Default: the authority's audience, if it has just one. */
  readonly audience?: Audience
  /** A shorter lifetime than the policy's. Default: the policy's `ttl`. */
  readonly ttl?: Duration
  /**
   * The total lifetime of the token and all its successors, at most the policy's. Default: the policy's `maxLifetime`.
   */
  readonly maxLifetime?: Duration
  /** Whether the token may be rotated. If `false`, `rotate` rejects it with `ERR_NOT_ROTATABLE`. Default: `true`. */
  readonly rotatable?: boolean
  /**
   * A name for people: 1 to 128 characters. This and the next two are kept in the record only, never in the token, and
   * successors inherit them. Default: none.
   */
  readonly label?: string
  /** The person or team responsible for the token: 1 to 256 characters. Default: none. */
  readonly owner?: string
  /** What the token is used for: 1 to 512 characters. Default: none. */
  readonly purpose?: string
  /** Not valid before this Unix time in milliseconds. Default: valid immediately. */
  readonly notBefore?: number
  /** The value that the token is bound to; `verify` must be called with the same value. Default: no binding. */
  readonly binding?: string
  /** The custom claims. Required if the schema requires any. */
  readonly claims?: ClaimsInput
}

/** The parameters of `rotate`. */
export interface RotateOptions {
  /** The actor who requests it, for the record: 1 to 256 characters. */
  readonly actor: string
  /** Fewer or narrower scopes for the successor. Default: those of the token. */
  readonly scopes?: readonly string[]
  /** A shorter lifetime than the policy's. Default: the policy's `ttl`. */
  readonly ttl?: Duration
  /** The binding of the token; the successor has the same binding. Default: no binding. */
  readonly binding?: string
}

/** The parameters of `revoke`. */
export interface RevokeOptions {
  /** The actor who revokes, for the record: 1 to 256 characters. */
  readonly actor: string
  /** The reason, for the record: 1 to 1024 characters. Default: none. */
  readonly reason?: string
  /** The binding of the token, if the target is a bound token. Default: no binding. */
  readonly binding?: string
  /**
   * `all`: resolves when every running node has confirmed that it applied the revocation, or after `timeout`; the
   * receipt lists the nodes. Default: `local`, which resolves when the feed has it and this node rejects.
   */
  readonly waitFor?: 'local' | 'all'
  /** How long to wait for the other nodes, at most an hour. Default: `maxStaleness` plus one second. */
  readonly timeout?: Duration
  /**
   * `false`: revokes only the named token and not its successors. Only with `{ id }` or `{ token }`. Default: `true`.
   */
  readonly successors?: boolean
}

/** Parameters of `revoke` for a dry run: the same as for the revocation. */
export interface DryRunOptions extends RevokeOptions {
  /**
   * `true`: reports what the revocation would do, and revokes nothing. `waitFor` and `timeout` are checked, but have no
   * effect: there is nothing to wait for. Default: `false`.
   */
  readonly dryRun: true
}

/** A part of the tokens of a dry run. */
export interface TokenGroup {
  /** The name that they have in common; `null` for all tokens with none of the listed names. */
  readonly name: string | null
  readonly tokens: number
}

/** What a revocation would do, as reported by a dry run. */
export interface RevokePreview {
  /** Always `true`: nothing was revoked. */
  readonly dryRun: true
  /** The kind of the target. */
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /** The time of the dry run, in Unix milliseconds. Tokens issued later are not included. */
  readonly at: number
  /** How many stored tokens it would reject: those that are not yet expired, revoked or superseded. */
  readonly matched: number
  /** The ids of up to 1,000 of these tokens, oldest first. */
  readonly ids: readonly string[]
  /** These tokens by policy, largest number first: up to 100 policies, and the rest as one. */
  readonly policies: readonly TokenGroup[]
  /** These tokens by subject, largest number first: up to 100 subjects, and the rest as one. */
  readonly subjects: readonly TokenGroup[]
  /** These tokens by audience, largest number first: up to 100 audiences, and the rest as one. */
  readonly audiences: readonly TokenGroup[]
  /** How many of these tokens were accepted within the last 30 days, as far as it is known. */
  readonly used: number
  /** The last accepted request with any of these tokens, in Unix milliseconds; `null` if none is known. */
  readonly lastUsedAt: number | null
  /** How these tokens were used within the last 30 days, with up to 100 callers. */
  readonly usage: TokenUsage | UsageNotKept
  /**
   * The ids of up to 1,000 stored records that do not parse or were edited in the database; absent if there are none.
   * The revocation may reject these tokens too.
   */
  readonly corrupt?: readonly string[]
}

/** The receipt of a revocation. */
export interface RevokeReceipt {
  /** The ULID of the stored revocation. */
  readonly id: string
  /** The kind of the target. */
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /** The time of the revocation, in Unix milliseconds. */
  readonly at: number
  /** How many valid stored tokens it covered; 0 if the target is unknown. */
  readonly matched: number
  /** The position in the feed: a node at or past it rejects. */
  readonly position: LogPosition
  /**
   * With `waitFor: 'all'`, the nodes by name: those that have applied it, including this one, and those that had not
   * confirmed by the end of the wait. A node that is cut off for longer than `maxStaleness` rejects every token.
   */
  readonly nodes?: { readonly applied: readonly string[]; readonly pending: readonly string[] }
}

/** The stored metadata of a token: neither the token nor the codes that seal the record. */
export type TokenInfo = Omit<TokenRecord, 'tag' | 'detailsTag'>

/** New details of a token. `null` removes a detail; one that is omitted stays as it is. */
export interface TokenDetailsInput {
  /** A name for people: 1 to 128 characters. */
  readonly label?: string | null
  /** The person or team responsible for the token: 1 to 256 characters. */
  readonly owner?: string | null
  /** What the token is used for: 1 to 512 characters. */
  readonly purpose?: string | null
}

/** The parameters of `tokens.update`. */
export interface UpdateOptions {
  /** The actor who requests it, for the audit channel: 1 to 256 characters. */
  readonly actor: string
}

/** Filters of `count`. A record must match every given field. */
export interface TokenCountQuery {
  /** The subject of the token. */
  readonly subject?: string
  /** The id of the family's first token. */
  readonly family?: string
  /** The name of the policy. */
  readonly policy?: string
  /** The audience of the token. */
  readonly audience?: string
  /** The id of the key that first sealed the token: `k4.lid.…`. */
  readonly keyId?: string
  /** The person or team responsible for the token. */
  readonly owner?: string
  /** The `actor` of `issue` or `rotate`. */
  readonly issuedBy?: string
  /** `true`: only tokens that were revoked. `false`: only tokens that were not. Default: both. */
  readonly revoked?: boolean
  /** Only tokens that expire before this Unix time in milliseconds, including those that already have. */
  readonly expiresBefore?: number
  /**
   * Only tokens that were issued before this time, and not used since: a duration back from now, such as `'90d'`, or an
   * ISO date in UTC, such as `'2026-03-01T00:00:00Z'`. Goes by the reported `lastUsedAt`, which is up to a minute behind
   * and misses the uses that a process could not report:
   * `tokens.usage` tells which intervals are not known.
   */
  readonly unusedSince?: Duration
  /** Only tokens that are neither expired nor revoked nor superseded. Default: all that were not purged. */
  readonly live?: boolean
}

/** Filters of `list`, and the page. */
export interface TokenQuery extends TokenCountQuery {
  /** The order by time of issue; `after` continues in the same order. Default: `'oldest'` first. */
  readonly order?: 'oldest' | 'newest'
  /** The page size, 1 to 1000. Default: 100. */
  readonly limit?: number
  /** The `next` of the previous page. */
  readonly after?: string
}

/** A page of token records. */
export interface TokenPage {
  /** The records, in the requested order. */
  readonly items: readonly TokenInfo[]
  /** Pass as `after` for the next page; absent on the last one. */
  readonly next?: string
  /** The ids of omitted records that do not parse or were edited in the database; absent if there are none. */
  readonly corrupt?: readonly string[]
}
