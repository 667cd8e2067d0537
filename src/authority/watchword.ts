/**
 * What an authority offers: the public interface, and nothing of how it is done.
 *
 * @module
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { KeyInfo } from '../keys/key-info.js'
import type { RequestContext } from '../observe/channels.js'
import type { Failure } from '../observe/failures.js'
import type { IncidentKind } from '../revocation/follower/follower-options.js'
import type { Standing } from '../revocation/follower/standing.js'
import type { AnyClaims, Requirement, RevokeTarget, VerifyResult } from '../types.js'
import type { IssueInput } from '../verbs/issue.js'
import type { IssuedToken } from '../verbs/issued-token.js'
import type { TokenInfo, TokenPage, TokenQuery } from '../verbs/list.js'
import type { CompiledRequirement } from '../verbs/requirement.js'
import type { RevokeOptions, RevokeReceipt } from '../verbs/revoke.js'
import type { RotateOptions } from '../verbs/rotate.js'
import type { KnownNames, NameOf } from './names.js'

/** The custom claims that a schema lets through. */
export type ClaimsOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : AnyClaims

/** The custom claims that a schema takes. */
export type ClaimsInputOf<S extends StandardSchemaV1 | undefined> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<S>
  : AnyClaims

/** How an authority stands. */
export interface Health extends Standing {
  /** `live`: verifies; `stale`: cannot prove that it knows every revocation; `closed`. */
  readonly status: 'live' | 'stale' | 'closed'
  /** How long ago freshness was last proved, in milliseconds; infinite: never. */
  readonly freshnessMs: number
  /** The option `maxStaleness`, in milliseconds. */
  readonly maxStalenessMs: number
  /** Where this node stands in the feed. */
  readonly position: { readonly epoch: string; readonly seq: number }
  /** How many events of the feed this node has not applied, as far as it knows. */
  readonly lag: number
  /** How many events were passed over because they are not authentic. */
  readonly rejectedEvents: number
  /** How the push channel does: how often it ended, and how often a poll found what it had not brought. */
  readonly pushes: { readonly ends: number; readonly misses: number }
  /** What went wrong with the feed since this node started, and how often; see {@link IncidentKind}. */
  readonly incidents: Readonly<Partial<Record<IncidentKind, number>>>
  /** When each kind of incident was last noticed, in Unix milliseconds. */
  readonly incidentTimes: Readonly<Partial<Record<IncidentKind, number>>>
  /**
   * Why the feed cannot be read right now, or else why it cannot be written, with a `reason` for programs, and since when;
   * `null` while both work.
   */
  readonly feedFailure: Failure | null
  /** Why the store cannot be read, or else written; a failure of a write is shown until such a write succeeds. */
  readonly storeFailure: Failure | null
  /** How many revocations of this node the feed has not confirmed; they are offered to it until it does. */
  readonly owedRevocations: number
  /** How many revocations are held in memory. */
  readonly revocations: number
  /** How many bytes they take, as estimated. */
  readonly revocationBytes: number
  /** The most that are held: the option `maxRevocations`. */
  readonly maxRevocations: number
  /**
   * Whether this node had no room for a revocation. It rejects every token as `stale` then, whatever `onStale` says, until
   * enough revocations have expired or it is restarted with a higher `maxRevocations`.
   */
  readonly revocationsFull: boolean
  /** The name of this node. */
  readonly node: string
  /** The name of the store. */
  readonly store: string
  /** The name of the feed. */
  readonly feed: string
  /** Every key of the authority, with its state, its times and its age. */
  readonly keys: readonly (KeyInfo & {
    /** How long ago it was made, in milliseconds. */
    readonly ageMs: number
  })[]
  /** How many stored keys no given root key opens. */
  readonly unreadableKeys: number
  /** How many opened tokens are cached, and in how many bytes. */
  readonly cache: { readonly tokens: number; readonly bytes: number }
}

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
