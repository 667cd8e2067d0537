/**
 * The parts of one authority that all verbs share.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { Keyring } from '../keys/keyring.js'
import type { RecordTagger } from '../keys/record-tagger.js'
import type { RingKey } from '../keys/ring.js'
import type { ResolvedClock } from '../lib/clock.js'
import { describe, listed, quote } from '../lib/quote.js'
import { mistakeIn } from '../lib/warn.js'
import type { AuditTrail } from '../observe/audit/trail.js'
import type { StoreCall } from '../observe/failures.js'
import type { Probe } from '../observe/probe.js'
import type { ResolvedOptions } from '../options/options.js'
import { type Policy, rotateAtOf } from '../policy/policy.js'
import type { Announcements } from '../revocation/follower/announcements.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'
import type { RevocationLog } from '../revocation/log/revocation-log.js'
import type { Store, TokenRecord } from '../store/store.js'
import { writeClaims } from '../token/claims.js'
import { sealText } from '../token/v4local.js'
import { overhead, writeBranded, writeStandard } from '../token/wire.js'
import type { RejectionCode } from '../types.js'
import { IssuedToken } from './issued-token.js'
import type { Verifier } from './verify.js'

/** The parts of one authority. */
export interface Core {
  readonly options: ResolvedOptions
  readonly clock: ResolvedClock
  readonly store: Store
  /** Runs a call to the store under the authority's deadline, and wraps errors. */
  readonly callStore: StoreCall
  readonly keyring: Keyring
  /** Creates and checks the integrity tags of rows. */
  readonly tagger: RecordTagger
  /** Makes the rows of the audit that are written with changes. */
  readonly trail: AuditTrail
  readonly index: RevocationIndex
  readonly follower: RevocationLog
  /** Entries that this node recently appended to the log. */
  readonly announcements: Announcements
  readonly verifier: Verifier
  /** Holds the observer that counts decisions and revocations for metrics. */
  readonly probe: Probe
  /** The messages of this authority on tracing channels. */
  readonly messages: WeakSet<object>
  /** Creates a ULID for this time. ULIDs of one millisecond are monotonic. */
  readonly newId: (time: number) => string
  /** Creates the implicit assertion of a token. */
  readonly assertionOf: (audience: string, binding: string) => Uint8Array
  readonly state: { readonly closed: boolean }
}

/** Throws `ERR_AUDIT_NOT_KEPT` if the policy requires the audit and it is not kept. */
export function assertAudited({ trail, store, options }: Core, policy: Policy): void {
  if (!policy.auditRequired || trail.isKept) return
  throw auditNotKept(
    store.name,
    options.audit === undefined,
    `policy ${quote(policy.name)} requires the audit, but `,
  )
}

/** The error for an audit that is not kept, with the remedy. */
export function auditNotKept(
  store: string,
  isOff: boolean,
  why = '',
): WatchwordError<'ERR_AUDIT_NOT_KEPT'> {
  return new WatchwordError(
    'ERR_AUDIT_NOT_KEPT',
    isOff
      ? `${why}the option \`audit\` is false; leave it out, or pass { keep: '400d' }`
      : `${why}the store "${store}" keeps no audit; use a store that has the part \`audit\`, such as memoryStore()`,
  )
}

/** The policy of this name. Throws `ERR_UNKNOWN_POLICY`. */
export function policyOf(core: Core, name: string): Policy {
  const policy = core.options.policies.get(name)
  if (policy === undefined) {
    const names = [...core.options.policies.keys()]
    throw new WatchwordError(
      'ERR_UNKNOWN_POLICY',
      `policy: ${quote(name)} is not configured (configured: ${listed(names)})`,
    )
  }
  return policy
}

/**
 * Resolves when this node knows whether the store has the key that a token names. Rejects with `ERR_STORE_UNAVAILABLE`,
 * `ERR_KEY_LOOKUP_PENDING` or `ERR_ROOT_KEY` if it cannot know; the token must then not be rejected.
 */
export async function lookUpKeyOf({ verifier, keyring }: Core, token: unknown): Promise<void> {
  const id = verifier.keyIdOf(token)
  if (id !== undefined) await keyring.lookUp(id)
}

/** The error for an audience that this authority does not serve. */
export function unknownAudience(
  given: unknown,
  served: readonly string[],
): WatchwordError<'ERR_UNKNOWN_AUDIENCE'> {
  return new WatchwordError(
    'ERR_UNKNOWN_AUDIENCE',
    `audience: ${describe(given)} is not served by this authority (served: ${listed(served)})`,
  )
}

/**
 * The error for a token that a verb rejects.
 *
 * @param token - The value passed to the verb; the message points out common mistakes in it.
 */
export function rejected(
  reason: RejectionCode,
  token?: unknown,
): WatchwordError<'ERR_TOKEN_REJECTED'> {
  const mistake = reason === 'malformed' ? mistakeIn(token) : undefined
  const hint = mistake === undefined ? '' : `: ${mistake.message}`
  return new WatchwordError('ERR_TOKEN_REJECTED', `the token was rejected as ${reason}${hint}`, {
    reason,
  })
}

/** The inputs for sealing a token. */
export interface SealInput {
  readonly record: TokenRecord
  readonly custom: Readonly<Record<string, unknown>>
  readonly binding: string
}

/** Seals a token. Throws `ERR_TOKEN_TOO_LONG`. */
export function sealToken(
  core: Core,
  ringKey: RingKey,
  { record, custom, binding }: SealInput,
  lostScopes: readonly string[] = [],
): IssuedToken {
  const { maxTokenLength, issuer, policies } = core.options
  const policy = policies.get(record.policy)
  const brand = policy?.brand
  const payload = writeClaims(issuer, record, custom)
  const bodyLength = Math.ceil(((Buffer.byteLength(payload) + 64) * 4) / 3)
  if (bodyLength + overhead(brand, ringKey.footerText) > maxTokenLength) {
    throw new WatchwordError(
      'ERR_TOKEN_TOO_LONG',
      `the token would be longer than ${maxTokenLength} characters`,
    )
  }
  const assertion = binding === '' ? ringKey.assertion : core.assertionOf(record.audience, binding)
  const body = sealText(ringKey.key, payload, ringKey.footer, assertion)
  const token =
    brand === undefined
      ? writeStandard(body, ringKey.footerText)
      : writeBranded(brand, ringKey.record.id, body)
  const rotateAt = rotateAtOf(policy, record.issuedAt, record.expiresAt)
  return new IssuedToken(token, record, { rotateAt, keyId: ringKey.record.id, lostScopes })
}
