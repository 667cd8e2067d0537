/**
 * The cached data of an authentic token: its claims, and results computed since.
 *
 * @module
 */
import type { Fingerprint, Fingerprinted } from '../cache/verified-cache.js'
import type { Counted } from '../observe/usage/counted.js'
import { type Policy, rotateAtOf } from '../policy/policy.js'
import { intersectScopes } from '../policy/scopes.js'
import type { KeyRecord } from '../store/store.js'
import type { TokenClaims } from '../token/claims.js'
import type { Verified } from '../types.js'
import type { Limited } from './limited.js'
import type { CompiledRequirement } from './requirement.js'

/** The authenticated claims of one token, with cached results. */
export interface Entry extends Fingerprinted, Counted {
  /** Marks an authentic token. A dedicated field is safe against a polluted `Object.prototype`. */
  readonly ok: true
  // The fields of the hot path are small integers and pointers, so a check reads one or two cache lines.
  /** The index version for which `deadline` was computed. */
  clearedVersion: number
  /** The second of `deadline`, or of the next change of `limited`, whichever is earlier: before it, the token needs no full check. */
  deadlineSecond: number
  /** Whether a full check is needed anyway: the token is not valid yet, outdated or suspended. */
  special: boolean
  /** The requirement that the token met last. Both are immutable, so the result stays valid. */
  met: CompiledRequirement | undefined
  /** The result for `met`: the principal, unless restrictions apply. */
  answer: Verified<unknown>
  /** The accepted requests that are not added to `hour` yet. */
  uses: number
  /** The minute in which its use was last reported. */
  reportedMinute: number
  /** The claims as they were sealed, without regard to restrictions. */
  readonly principal: Verified<unknown>
  /** What restrictions leave of the token; `undefined` if there are none. */
  limited: Limited | undefined
  /** The original custom claims, before the schema transformed them. */
  readonly custom: Readonly<Record<string, unknown>>
  readonly binding: string
  /** Not valid before this time; clock skew tolerance is included. */
  readonly validFrom: number
  /** The earlier of the token's expiry and its key's. */
  readonly end: number
  readonly outdated: boolean
  /** When the token is rejected, for any reason. */
  deadline: number
  /** Whether its first use retires its predecessor and was not reported yet. */
  retiresPredecessor: boolean
}

const NO_CLAIMS: Entry['custom'] = Object.freeze({})

/** The inputs of an entry besides the claims. */
export interface EntrySource {
  /** The key that sealed the token. */
  readonly record: KeyRecord
  readonly binding: string
  readonly print: Fingerprint
  /** The custom claims, as the schema returned them. */
  readonly custom: unknown
  /** The token's policy, if this authority has it. */
  readonly policy: Policy | undefined
  readonly clockToleranceMs: number
}

/** Creates the entry of an authentic token. */
export function entryOf(claims: TokenClaims, source: EntrySource): Entry {
  const { record, binding, print, custom, policy, clockToleranceMs } = source
  // Strings shared by all tokens are taken from existing objects.
  const principal: Verified<unknown> = Object.freeze({
    ok: true,
    id: claims.id,
    subject: claims.subject,
    audience: record.audience,
    scopes: policy === undefined ? claims.scopes : intersectScopes(claims.scopes, policy.scopes),
    policy: policy?.name ?? claims.policy,
    family: claims.family,
    generation: claims.generation,
    issuedAt: claims.issuedAt,
    expiresAt: claims.expiresAt,
    rotateAt: rotateAtOf(policy, claims.issuedAt, claims.expiresAt),
    keyId: record.id,
    claims: custom,
  })
  return {
    ok: true,
    print0: print[0],
    print1: print[1],
    print2: print[2],
    print3: print[3],
    clearedVersion: -1,
    deadlineSecond: 0,
    special: false,
    met: undefined,
    answer: principal,
    uses: 0,
    reportedMinute: -1,
    hour: undefined,
    slot: 0,
    binding,
    principal,
    limited: undefined,
    retiresPredecessor: claims.generation > 0 && policy?.retireOn === 'first-use',
    outdated: policy !== undefined && claims.policyVersion < policy.minVersion,
    deadline: 0,
    validFrom: Math.max(claims.notBefore ?? claims.issuedAt, claims.issuedAt) - clockToleranceMs,
    end: Math.min(claims.expiresAt, record.expiresAt),
    custom: claims.custom,
  }
}

/** An entry without a token, for a principal that was accepted before: to judge whether it still would be. */
export function standIn(principal: Verified<unknown>, keyExpiresAt: number): Entry {
  return {
    ok: true,
    print0: 0,
    print1: 0,
    print2: 0,
    print3: 0,
    clearedVersion: -1,
    deadlineSecond: 0,
    special: false,
    met: undefined,
    answer: principal,
    limited: undefined,
    uses: 0,
    reportedMinute: -1,
    hour: undefined,
    slot: 0,
    binding: '',
    principal,
    retiresPredecessor: false,
    outdated: false,
    deadline: 0,
    validFrom: Number.NEGATIVE_INFINITY,
    end: Math.min(principal.expiresAt, keyExpiresAt),
    custom: NO_CLAIMS,
  }
}
