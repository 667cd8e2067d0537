/**
 * The public interface of an authority.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { KeyInfo } from '../keys/key-info.js'
import type { AuditCheckpoint } from '../observe/audit/checkpoint.js'
import type { AuditPage, AuditRecord } from '../observe/audit/log.js'
import type { AuditListQuery, AuditReadQuery } from '../observe/audit/query.js'
import type { AuditReport } from '../observe/audit/verify.js'
import type { RequestContext } from '../observe/channels.js'
import type { AnyClaims, Requirement, RevokeTarget, VerifyResult, WatchSignal } from '../types.js'
import type {
  DryRunOptions,
  IssueInput,
  RevokeOptions,
  RevokePreview,
  RevokeReceipt,
  RotateOptions,
  TokenCountQuery,
  TokenDetailsInput,
  TokenInfo,
  TokenPage,
  TokenQuery,
  UpdateOptions,
} from '../verbs/inputs.js'
import type { IssuedToken } from '../verbs/issued-token.js'
import type { CompiledRequirement } from '../verbs/requirement.js'
import type {
  FreezeOptions,
  Frozen,
  RestoreOptions,
  RestrictionInfo,
  RestrictionInfoPage,
  RestrictionQuery,
  RestrictOptions,
  RestrictReceipt,
  RestrictTarget,
  SuspendOptions,
  UnfreezeOptions,
} from '../verbs/restrict-inputs.js'
import type { TokenUsageOptions, UsageTarget } from '../verbs/usage.js'
import type { TokenUsage, UsageNotKept } from '../verbs/usage-report.js'
import type { WatchOptions } from '../verbs/watch.js'
import type { Health } from './health-report.js'
import type { KnownNames, NameOf } from './names.js'

/** The custom claims as returned by the schema. */
export type ClaimsOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : AnyClaims

/** The custom claims as accepted by the schema. */
export type ClaimsInputOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<S>
  : AnyClaims

/** The object that `createWatchword` returns: issues, verifies, rotates and revokes tokens. */
export interface Watchword<
  Claims = AnyClaims,
  ClaimsInput = AnyClaims,
  Names extends KnownNames = KnownNames,
> {
  /**
   * Issues a token and stores its record. Rejects with `ERR_INVALID_ARGUMENT`, `ERR_UNKNOWN_POLICY`,
   * `ERR_UNKNOWN_AUDIENCE`, `ERR_SCOPE_NOT_GRANTABLE`, `ERR_DETAILS_REQUIRED`, `ERR_TTL_TOO_LONG`, `ERR_RESERVED_CLAIM`,
   * `ERR_CLAIMS_INVALID`, `ERR_TOKEN_TOO_LONG`, `ERR_LIMIT_REACHED`, `ERR_REVOKED_AHEAD`, `ERR_FROZEN`, `ERR_NO_SIGNING_KEY`,
   * `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`. With the last two, the record may have been written; with every other
   * code, nothing was.
   */
  issue<
    const P extends string = Names['policy'],
    const A extends string = Names['audience'],
    const S extends string = Names['scope'],
  >(
    input: IssueInput<
      ClaimsInput,
      NameOf<P, Names['policy']>,
      NameOf<A, Names['audience']>,
      NameOf<S, Names['scope']>
    >,
  ): Promise<IssuedToken>
  /**
   * Issues up to 1000 tokens atomically: all or none. With a policy that has `maxActivePerSubject`, all tokens must
   * have the same subject and policy. Rejects like `issue`.
   */
  issueMany(inputs: readonly IssueInput<ClaimsInput>[]): Promise<readonly IssuedToken[]>
  /**
   * Decides whether a token is valid and meets the requirement, synchronously and without I/O. Never throws. An invalid
   * requirement, including an explicit `undefined`, rejects every token as `insufficient_scope` and warns once for each
   * fault.
   */
  verify(token: unknown, requirement?: Requirement | CompiledRequirement): VerifyResult<Claims>
  /**
   * Like `verify`, but does I/O when the decision needs it: for a key that is not loaded, on a stale node, and for
   * `freshness: 'store'`. Rejects with `ERR_STORE_UNAVAILABLE` if the store is needed and does not respond, with
   * `ERR_ROOT_KEY` if a stored key cannot be opened, with `ERR_STORE_CORRUPT` if the token's row was edited, and with
   * `ERR_INVALID_ARGUMENT` for an invalid requirement. The context is published with the decision on the channel
   * `watchword:decision` and does not affect the decision.
   */
  authenticate(
    token: unknown,
    requirement?: Requirement | CompiledRequirement,
    context?: RequestContext,
  ): Promise<VerifyResult<Claims>>
  /**
   * Validates and compiles a requirement once, for many calls. Throws `ERR_INVALID_ARGUMENT`, and
   * `ERR_UNKNOWN_AUDIENCE` for an audience that this authority does not serve.
   */
  require(requirement: Requirement): CompiledRequirement
  /**
   * Watches an accepted result for as long as its holder is connected: the returned signal aborts once this node would
   * reject the token, with the rejection as its `reason`. That is within milliseconds of a revocation, at the expiry
   * (also one in years), when the token no longer meets `requirement`, while the node is stale, and at `close()`. A
   * rotation does not abort it: the watch goes on with the successor, or ends with `superseded` at the end of the grace if
   * none can be found. For a rejected result it is aborted already.
   *
   * Dispose the signal when the connection closes. Throws `ERR_INVALID_ARGUMENT` for anything that is not a result.
   *
   * @example
   * ```ts
   * const result = watchword.verify(token, { scopes: ['events:read'] })
   * if (result.ok) {
   *   const life = watchword.watch(result, { requirement: { scopes: ['events:read'] } })
   *   life.addEventListener('abort', () => console.log(`disconnect: ${life.reason.code}`))
   *   life[Symbol.dispose]()
   * }
   * ```
   */
  watch(result: VerifyResult<unknown>): WatchSignal
  watch(result: VerifyResult<unknown>, options: WatchOptions): WatchSignal
  /**
   * Exchanges a token for its one successor. Rejects with `ERR_TOKEN_REJECTED` and a `reason`, `ERR_TOKEN_REUSED`,
   * `ERR_TOKEN_UNKNOWN`, `ERR_ROTATION_LIMIT` (with `retryAt`), `ERR_FROZEN`, `ERR_REVOCATIONS_FULL`, `ERR_FAMILY_ENDED`,
   * `ERR_SCOPE_NOT_GRANTABLE`, `ERR_TTL_TOO_LONG`, `ERR_UNKNOWN_POLICY`, `ERR_INVALID_ARGUMENT`,
   * `ERR_STORE_UNAVAILABLE`, `ERR_REVOCATION_UNCERTAIN` or `ERR_CLOSED`. Retrying within the grace returns the same
   * successor.
   */
  rotate(token: string, options: RotateOptions): Promise<IssuedToken>
  /**
   * Revokes one token, or every token of a family, subject, key or audience, or all tokens. Rejects with
   * `ERR_INVALID_ARGUMENT`, `ERR_TOKEN_REJECTED`, `ERR_REVOCATION_UNCERTAIN`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`.
   * With the second and third last, the tokens may be revoked already, also on other nodes: call again until it
   * resolves, so that the store records it. Retrying is safe.
   *
   * With `dryRun: true`, revokes nothing and resolves with what the revocation would do: nothing is published or
   * audited, so it waits for no node, also with `waitFor`. Rejects like the revocation of the same target and
   * options.
   */
  revoke(target: RevokeTarget, options: DryRunOptions): Promise<RevokePreview>
  revoke(
    target: RevokeTarget,
    options: RevokeOptions & { readonly dryRun?: false },
  ): Promise<RevokeReceipt>
  revoke(
    target: RevokeTarget,
    options: RevokeOptions & { readonly dryRun?: boolean },
  ): Promise<RevokeReceipt | RevokePreview>
  /**
   * Refuses every token of the target with the code `suspended`, until it is restored or `for` is over; tokens that are
   * issued later are refused as well. Of a token, its successors too. Calling it again replaces the end. Unlike a
   * revocation, it is stored first: when it rejects with `ERR_STORE_UNAVAILABLE`, it may be in effect or not, and calling
   * it again is safe. Rejects with `ERR_INVALID_ARGUMENT`, `ERR_TOKEN_REJECTED`, `ERR_RESTRICTIONS_NOT_KEPT`,
   * `ERR_REVOCATIONS_FULL`, `ERR_STORE_UNAVAILABLE`, `ERR_STORE_CORRUPT`, `ERR_STORE_SCHEMA`, `ERR_REVOCATION_UNCERTAIN`
   * (stored, and in effect on this node) or `ERR_CLOSED`.
   */
  suspend(target: RestrictTarget, options: SuspendOptions): Promise<RestrictReceipt>
  /**
   * Limits the scopes of every token of the target, until it is restored or `for` is over. Replaces an earlier restriction
   * of the target, and never lifts a suspension. With `mode: 'report'`, only reports what it would refuse. Rejects like
   * `suspend`.
   */
  restrict(target: RestrictTarget, options: RestrictOptions): Promise<RestrictReceipt>
  /**
   * Lifts the suspension and all restrictions of exactly this target: pass the target that was restricted. A restriction
   * of another target that covers the same tokens stays. Rejects like `suspend`.
   */
  restore(target: RestrictTarget, options: RestoreOptions): Promise<RestrictReceipt>
  /**
   * Stops issue, rotation or both on every node: they reject with `ERR_FROZEN`, until `unfreeze` or until `for` is over.
   * Existing tokens stay valid. Rejects like `suspend`.
   */
  freeze(what: Frozen, options: FreezeOptions): Promise<RestrictReceipt>
  /** Permits issue and rotation again. Rejects like `suspend`. */
  unfreeze(options: UnfreezeOptions): Promise<RestrictReceipt>
  /** What is suspended, restricted or frozen, as stored. */
  readonly restrictions: {
    /**
     * What restricts exactly this target at present; `undefined` if nothing does. Rejects like `suspend`, and with
     * `ERR_STORE_CORRUPT` for a row that was edited in the database.
     */
    get(target: RestrictTarget): Promise<RestrictionInfo | undefined>
    /** A page of all that restrict something at present. May be empty and have a `next`. Rejects like `suspend`. */
    list(): Promise<RestrictionInfoPage>
    list(query: RestrictionQuery): Promise<RestrictionInfoPage>
  }
  /** The token inventory. */
  readonly tokens: {
    /**
     * The record of a token, or `undefined`. Rejects with `ERR_STORE_UNAVAILABLE`, or with `ERR_STORE_CORRUPT` if its
     * row was edited.
     */
    get(id: string): Promise<TokenInfo | undefined>
    /** A page of token records, oldest first. Rejects with `ERR_INVALID_ARGUMENT` or `ERR_STORE_UNAVAILABLE`. */
    list(): Promise<TokenPage>
    list(query: TokenQuery): Promise<TokenPage>
    /**
     * The number of token records, including those that `list` omits as corrupt. Rejects with `ERR_INVALID_ARGUMENT` or
     * `ERR_STORE_UNAVAILABLE`.
     */
    count(): Promise<number>
    count(query: TokenCountQuery): Promise<number>
    /**
     * Replaces the given details of a token and of all its successors; `null` removes one. Works for every token that
     * was not purged, also an expired or revoked one. Resolves with the updated record. Rejects with
     * `ERR_TOKEN_UNKNOWN` for an unknown id, `ERR_DETAILS_REQUIRED` if the policy demands a detail that the token would
     * not have, `ERR_STORE_CORRUPT` if its row was edited, `ERR_NO_SIGNING_KEY` if its key was purged,
     * `ERR_INVALID_ARGUMENT` or `ERR_STORE_UNAVAILABLE`. Retrying is safe.
     */
    update(id: string, details: TokenDetailsInput, options: UpdateOptions): Promise<TokenInfo>
    /**
     * How a token or a family was used, on all nodes: requests, refusals, scopes and callers. Check `coverage` before
     * you treat a token as unused: `complete` is `false` if any count may be missing. `kept` is `false` with a store
     * that keeps no usage. Rejects with `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE` or `ERR_STORE_CORRUPT`.
     */
    usage(target: UsageTarget): Promise<TokenUsage | UsageNotKept>
    usage(target: UsageTarget, options: TokenUsageOptions): Promise<TokenUsage | UsageNotKept>
  }
  /** The keys. */
  readonly keys: {
    /** All keys of this authority's audiences, oldest first. */
    list(): readonly KeyInfo[]
    /** Publishes a successor for one audience, or for all, ahead of schedule. */
    rotate(): Promise<readonly KeyInfo[]>
    rotate(audience: string): Promise<readonly KeyInfo[]>
    /** Revokes a key and every token that it sealed. Creates a new key if it was in use. */
    revoke(id: string, options: RevokeOptions): Promise<RevokeReceipt>
    /**
     * Discards a stored key of any audience that none of the root keys can unwrap, such as one written by a process
     * with the wrong root key: revokes it and destroys its wrapping, so its audience can have a new key. Rejects with
     * `ERR_INVALID_ARGUMENT` if the store has no such key or a root key unwraps it, and like `revoke`. If no authority
     * can start with the store, use `discardKey`.
     */
    discard(id: string, options: RevokeOptions): Promise<RevokeReceipt>
    /**
     * Wraps every stored key with the current root key. Safe to interrupt and repeat. Resolves with the number of
     * wrapped keys.
     */
    rewrap(): Promise<number>
    /** Reads the store for new keys without waiting for the next poll. */
    refresh(): Promise<void>
  }
  /**
   * The audit: every change, in the order of a Merkle tree (RFC 6962) that shows whether a row was edited, moved, inserted
   * or removed. Every call rejects with `ERR_AUDIT_NOT_KEPT` if the store keeps none, with `ERR_STORE_UNAVAILABLE`, and
   * with `ERR_INVALID_ARGUMENT`.
   */
  readonly audit: {
    /** A page of events, oldest first by default. */
    list(): Promise<AuditPage>
    list(query: AuditListQuery): Promise<AuditPage>
    /**
     * Every matching event, oldest first. Throws `ERR_STORE_CORRUPT` at a row that the authority did not write, and names
     * it.
     */
    read(): AsyncGenerator<AuditRecord, void>
    read(query: AuditReadQuery): AsyncGenerator<AuditRecord, void>
    /** Appends every event so far to the tree, and resolves with its checkpoint. */
    checkpoint(): Promise<AuditCheckpoint>
    /**
     * Reads and verifies every row, and compares the tree with each checkpoint that this node remembers and with the
     * one that is passed, as text. Memory is bounded: one page of rows at a time.
     */
    verify(): Promise<AuditReport>
    verify(options: { readonly checkpoint?: string }): Promise<AuditReport>
  }
  /** The health of this authority. */
  health(): Health
  /** Flushes pending writes, releases all resources, and rejects all later calls. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
