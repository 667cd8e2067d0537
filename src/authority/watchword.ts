/**
 * What an authority offers: the public interface, and nothing of how it is done.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { KeyInfo } from '../keys/key-info.js'
import type { RequestContext } from '../observe/channels.js'
import type { AnyClaims, Requirement, RevokeTarget, VerifyResult } from '../types.js'
import type {
  IssueInput,
  RevokeOptions,
  RevokeReceipt,
  RotateOptions,
  TokenInfo,
  TokenPage,
  TokenQuery,
} from '../verbs/inputs.js'
import type { IssuedToken } from '../verbs/issued-token.js'
import type { CompiledRequirement } from '../verbs/requirement.js'
import type { Health } from './health-report.js'
import type { KnownNames, NameOf } from './names.js'

/** The custom claims that a schema lets through. */
export type ClaimsOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : AnyClaims

/** The custom claims that a schema takes. */
export type ClaimsInputOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<S>
  : AnyClaims

/** What `createWatchword` answers: issues, verifies, rotates and revokes. */
export interface Watchword<
  Claims = AnyClaims,
  ClaimsInput = AnyClaims,
  Names extends KnownNames = KnownNames,
> {
  /**
   * Issues a token and keeps its record. Rejects with `ERR_INVALID_ARGUMENT`, `ERR_UNKNOWN_POLICY`,
   * `ERR_UNKNOWN_AUDIENCE`, `ERR_SCOPE_NOT_GRANTABLE`, `ERR_TTL_TOO_LONG`, `ERR_RESERVED_CLAIM`, `ERR_CLAIMS_INVALID`,
   * `ERR_TOKEN_TOO_LONG`, `ERR_LIMIT_REACHED`, `ERR_REVOKED_AHEAD`, `ERR_NO_SIGNING_KEY`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`; but for
   * the last two of these, nothing was written.
   */
  issue<
    const P extends string = Names['policy'],
    const A extends string = Names['audience'],
    const S extends string = Names['scope'],
  >(
    input: IssueInput<ClaimsInput, P, A, S> &
      IssueInput<
        ClaimsInput,
        NameOf<P, Names['policy']>,
        NameOf<A, Names['audience']>,
        NameOf<S, Names['scope']>
      >,
  ): Promise<IssuedToken>
  /**
   * Issues up to 1000 tokens in one step of the store: all, or none. With a policy that has `maxActivePerSubject`, all
   * must be for one subject and of that policy. Rejects as `issue` does.
   */
  issueMany(inputs: readonly IssueInput<ClaimsInput>[]): Promise<readonly IssuedToken[]>
  /**
   * Decides whether a token is valid and meets the requirement, synchronously and without I/O. Never throws, for any
   * value. A requirement that is invalid, an explicit `undefined` among them, rejects every token as
   * `insufficient_scope` and warns once per process.
   */
  verify(token: unknown, requirement?: Requirement | CompiledRequirement): VerifyResult<Claims>
  /**
   * Like `verify`, but does the I/O when that alone can tell: for a key that is not at hand, for a node that is stale,
   * and for `freshness: 'store'`. Rejects with `ERR_STORE_UNAVAILABLE` when the store has to be
   * asked and does not answer, with `ERR_ROOT_KEY` when a key that it has cannot be opened, with `ERR_STORE_CORRUPT` when the row of the token was edited, and with
   * `ERR_INVALID_ARGUMENT` for a requirement that does not parse. The context is told with the decision on the channel
   * `watchword:decision`, and decides nothing.
   */
  authenticate(
    token: unknown,
    requirement?: Requirement | CompiledRequirement,
    context?: RequestContext,
  ): Promise<VerifyResult<Claims>>
  /**
   * Checks and compiles a requirement once, for many calls. Throws `ERR_INVALID_ARGUMENT`, and `ERR_UNKNOWN_AUDIENCE` for an
   * audience that this authority does not serve.
   */
  require(requirement: Requirement): CompiledRequirement
  /**
   * Exchanges a token for its one successor. Rejects with `ERR_TOKEN_REJECTED` and a `reason`, `ERR_TOKEN_REUSED`,
   * `ERR_TOKEN_UNKNOWN`, `ERR_ROTATION_LIMIT` (with `retryAt`), `ERR_REVOCATIONS_FULL`, `ERR_FAMILY_ENDED`, `ERR_SCOPE_NOT_GRANTABLE`, `ERR_TTL_TOO_LONG`, `ERR_UNKNOWN_POLICY`,
   * `ERR_INVALID_ARGUMENT`, `ERR_STORE_UNAVAILABLE`, `ERR_REVOCATION_UNCERTAIN` or `ERR_CLOSED`. Asking again within
   * the grace answers the same successor.
   */
  rotate(token: string, options: RotateOptions): Promise<IssuedToken>
  /**
   * Kills one token, or everything of a family, subject, key or audience, or all there is. Rejects with
   * `ERR_INVALID_ARGUMENT`, `ERR_TOKEN_REJECTED`, `ERR_REVOCATION_UNCERTAIN`, `ERR_STORE_UNAVAILABLE` or `ERR_CLOSED`;
   * asking again is safe.
   */
  revoke(target: RevokeTarget, options: RevokeOptions): Promise<RevokeReceipt>
  /** The inventory. */
  readonly tokens: {
    /**
     * The record of a token, or `undefined`. Rejects with `ERR_STORE_UNAVAILABLE`, or with `ERR_STORE_CORRUPT` when its row
     * was edited.
     */
    get(id: string): Promise<TokenInfo | undefined>
    /** A page of token records, oldest first. Rejects with `ERR_INVALID_ARGUMENT` or `ERR_STORE_UNAVAILABLE`. */
    list(): Promise<TokenPage>
    list(query: TokenQuery): Promise<TokenPage>
  }
  /** The keys. */
  readonly keys: {
    /** Every key of this authority's audiences, oldest first. */
    list(): readonly KeyInfo[]
    /** Publishes a successor for one audience, or for all, ahead of the schedule. */
    rotate(): Promise<readonly KeyInfo[]>
    rotate(audience: string): Promise<readonly KeyInfo[]>
    /** Revokes a key and every token that it sealed, and makes a new one if it was in use. */
    revoke(id: string, options: RevokeOptions): Promise<RevokeReceipt>
    /**
     * Discards a stored key of any audience that none of the root keys opens, such as one that a process with the wrong
     * root key wrote: revokes it and destroys its wrapping, so that its audience can have a new one. Rejects with
     * `ERR_INVALID_ARGUMENT` when the store has no such key or a root key opens it, and as `revoke` does. `discardKey` does
     * the same for a store in which no authority can start.
     */
    discard(id: string, options: RevokeOptions): Promise<RevokeReceipt>
    /** Wraps every stored key with the root key in use. Safe to interrupt and to repeat; answers how many it wrapped. */
    rewrap(): Promise<number>
    /** Reads the store for new keys, without waiting for the next round. */
    refresh(): Promise<void>
  }
  /** How this authority stands. */
  health(): Health
  /** Writes what is pending, lets go of everything, and refuses all calls from then on. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
