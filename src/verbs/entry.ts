/**
 * What a node keeps of an authentic token: its facts, and what was found out about it since.
 *
 * @module
 */
import type { Fingerprint, Fingerprinted } from '../cache/verified-cache.js'
import { type Policy, rotateAtOf } from '../policy/policy.js'
import { intersectScopes } from '../policy/scopes.js'
import type { KeyRecord } from '../store/store.js'
import type { TokenClaims } from '../token/claims.js'
import type { Verified } from '../types.js'
import type { CompiledRequirement } from './requirement.js'

/** The authenticated facts of one token, and what the node found out about it. */
export interface Entry extends Fingerprinted {
  /** Authentic. A field of its own tells it from a rejection, whatever `Object.prototype` has. */
  readonly ok: true
  // The fields of the hot path are small integers and pointers, so that a check reads one or two lines of memory.
  /** The version of the index that `deadline` was worked out from. */
  clearedVersion: number
  /** The second of `deadline`: before it, the token needs no closer look. */
  deadlineSecond: number
  /** Whether a closer look is needed all the same: not valid yet, or outdated. */
  special: boolean
  /** The requirement that the token met last. Both are immutable, so it still does. */
  met: CompiledRequirement | undefined
  /** The minute in which its use was last reported. */
  reportedMinute: number
  readonly principal: Verified<unknown>
  /** The custom claims as they were written, before the schema had its say. */
  readonly custom: Readonly<Record<string, unknown>>
  readonly binding: string
  /** Not valid before this time; the tolerance is counted in. */
  readonly validFrom: number
  /** The earlier of the token's expiry and its key's. */
  readonly end: number
  readonly outdated: boolean
  /** From when on the token is dead, for whatever reason. */
  deadline: number
  /** Whether its first use retires its predecessor, and that has not been said yet. */
  retiresPredecessor: boolean
}

/** What an entry is made from, beside the claims. */
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

/** Makes the entry of an authentic token. */
export function entryOf(claims: TokenClaims, source: EntrySource): Entry {
  const { record, binding, print, custom, policy, clockToleranceMs } = source
  // Strings that all tokens share are taken from where they are held anyway.
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
    reportedMinute: 0,
    binding,
    principal,
    retiresPredecessor: claims.generation > 0 && policy?.retireOn === 'first-use',
    outdated: policy !== undefined && claims.policyVersion < policy.minVersion,
    deadline: 0,
    validFrom: Math.max(claims.notBefore ?? 0, claims.issuedAt) - clockToleranceMs,
    end: Math.min(claims.expiresAt, record.expiresAt),
    custom: claims.custom,
  }
}
