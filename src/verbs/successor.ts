/**
 * The successor of a token: its scopes, its lifetime and its record.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { RingKey } from '../keys/ring.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import type { Duration } from '../lib/duration.js'
import { listed, quote } from '../lib/quote.js'
import { lifetime } from '../policy/lifetime.js'
import type { Policy } from '../policy/policy.js'
import { coveredByAny, normaliseScopes } from '../policy/scopes.js'
import type { TokenRecord } from '../store/store.js'
import type { Core } from './core.js'
import { issueTime } from './issue-time.js'

/** The error for a family that has reached its end. */
export function familyEnded(): WatchwordError {
  return new WatchwordError(
    'ERR_FAMILY_ENDED',
    'the family has reached its maximum lifetime; issue a new token',
  )
}

/** The inputs of a successor. */
export interface SuccessorParts {
  readonly record: TokenRecord
  readonly actor: string
  readonly ttl: Duration | undefined
  readonly policy: Policy
  readonly ringKey: RingKey
  readonly scopes: readonly string[]
}

/** The record of a successor. Throws `ERR_FAMILY_ENDED`, `ERR_TTL_TOO_LONG` or `ERR_REVOKED_AHEAD`. */
export function newSuccessor(core: Core, parts: SuccessorParts): TokenRecord {
  const { record, policy, ringKey, scopes } = parts
  const issuedAt = issueTime(core, record.subject, record.audience)
  if (issuedAt >= record.familyExpiresAt) throw familyEnded()
  const end = Math.min(record.familyExpiresAt, ringKey.record.expiresAt - MAX_SKEW_MS)
  // A token issued with a short lifetime must not gain a longer one by rotation.
  const ttl = Math.min(lifetime(policy, parts.ttl), record.ttl)
  const expiresAt = Math.min(issuedAt + ttl, end)
  const successor = core.tagger.ofRecord({
    ...record,
    id: core.newId(issuedAt),
    generation: record.generation + 1,
    predecessor: record.id,
    policyVersion: policy.version,
    scopes,
    keyId: ringKey.record.id,
    issuedAt,
    notBefore: null,
    expiresAt,
    issuedBy: parts.actor,
    supersededAt: null,
    lastUsedAt: null,
  })
  return { ...successor, detailsTag: core.tagger.ofDetails(successor) }
}

/** The successor with the current details of the token, which were replaced since it was made. */
export function withDetailsOf(
  core: Core,
  successor: TokenRecord,
  { label, owner, purpose, hint }: TokenRecord,
): TokenRecord {
  const next = { ...successor, label, owner, purpose, hint }
  return { ...next, detailsTag: core.tagger.ofDetails(next) }
}

/** The scopes of a successor, and those of the token that its policy no longer grants. */
export interface Granted {
  readonly scopes: readonly string[]
  readonly lost: readonly string[]
}

/**
 * The scopes of a successor: at most those of the token, and at most those that the policy still grants. Throws
 * `ERR_SCOPE_NOT_GRANTABLE` if none are left.
 */
export function successorScopes(
  record: TokenRecord,
  policy: Policy,
  asked: readonly string[] | undefined,
): Granted {
  const wanted = normaliseScopes(asked ?? record.scopes)
  const wider = wanted.find((scope) => !coveredByAny(record.scopes, scope))
  if (wider !== undefined) {
    throw new WatchwordError(
      'ERR_SCOPE_NOT_GRANTABLE',
      `scopes: the token does not have ${quote(wider)} (it has: ${listed(record.scopes)})`,
    )
  }
  const granted = grantedBy(policy, wanted)
  if (granted.scopes.length > 0 || granted.lost.length === 0) return granted
  throw new WatchwordError(
    'ERR_SCOPE_NOT_GRANTABLE',
    `policy ${quote(policy.name)} no longer grants any of the token's scopes (${listed(granted.lost)}); widen the policy, or issue another token`,
  )
}

/** Splits scopes into those that the policy grants and those that it does not. */
export function grantedBy(policy: Policy, wanted: readonly string[]): Granted {
  const isGranted = (scope: string) => coveredByAny(policy.scopes, scope)
  return {
    scopes: wanted.filter(isGranted),
    lost: wanted.filter((scope) => !isGranted(scope)),
  }
}
