/**
 * Rotation: each token has exactly one successor, regardless of how many processes request it.
 *
 * @module
 */

import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { type Duration, parseDuration } from '../lib/duration.js'
import { isName } from '../lib/name.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import type { AuditDraft } from '../observe/audit/trail.js'
import { spendRotation } from '../policy/rotation-budget.js'
import { isScope, normaliseScopes } from '../policy/scopes.js'
import { NOT_REVOKED, REVOKED } from '../revocation/index/revocation-index.js'
import { readToken, writeSuccession } from '../store/checked.js'
import type { Succession, TokenRecord } from '../store/store.js'
import type { Rejected } from '../types.js'
import {
  assertAudited,
  type Core,
  lookUpKeyOf,
  policyOf,
  rejected,
  type SealInput,
  sealToken,
} from './core.js'
import { DETAILS_ATTEMPTS, detailsContended } from './details.js'
import type { Entry } from './entry.js'
import { assertNotFrozen } from './frozen.js'
import { assertDetails, assertMatches, assertSuccessor, tampered } from './integrity.js'
import type { IssuedToken } from './issued-token.js'
import { MAX_BINDING_LENGTH } from './requirement.js'
import { announceRotation } from './retire.js'
import { revoke } from './revoke.js'
import {
  familyEnded,
  grantedBy,
  newSuccessor,
  successorScopes,
  withDetailsOf,
} from './successor.js'

const optionsSchema = strict(
  {
    actor: z.custom<string>((value) => isName(value, 256), 'expected 1 to 256 characters'),
    scopes: optional(
      z.array(
        z.custom<string>(isScope, "expected a scope such as 'orders:read'"),
        'expected a list of scopes',
      ),
    ),
    ttl: optional(
      z.custom<Duration>(
        (value) => (parseDuration(value) ?? 0) >= 1000,
        "expected a duration of at least 1s, such as '15m' (ms, s, m, h, d or w)",
      ),
    ),
    binding: optional(
      z.custom<string>((value) => isName(value, MAX_BINDING_LENGTH), 'expected a string'),
    ),
  },
  "expected an object with at least actor, such as { actor: 'ops@acme.example' }",
)

type Options = z.output<typeof optionsSchema>

/** Rotates the token. Presenting the token proves possession of it. */
export async function rotate(core: Core, token: unknown, raw: unknown): Promise<IssuedToken> {
  const options = parseInput(optionsSchema, raw, 'options')
  const entry = await authenticEntry(core, token, options.binding ?? '')
  await refuse(core, { entry, options })
  const { family, generation } = entry.principal
  // Checked before the row is read: another node may be rotating the token right now.
  const wasRotated = core.index.hasSuccessor(family, generation)
  const record = await loadRecord(core, entry, options)
  if (!record.rotatable) {
    throw new WatchwordError(
      'ERR_NOT_ROTATABLE',
      'the token was issued with `rotatable: false`; issue a new one instead of rotating it',
    )
  }
  if (record.successor !== null) return again(core, { entry, record, options })
  // The log shows that the token was rotated, so a row that says otherwise was edited or restored from an older copy. A
  // second successor would be invisible to the first one.
  if (wasRotated) throw tampered(core, record)
  return succeed(core, { entry, record, options })
}

interface Rotation {
  readonly entry: Entry
  readonly record: TokenRecord
  readonly options: Options
}

async function authenticEntry(core: Core, token: unknown, binding: string): Promise<Entry> {
  const found = await findEntry(core, token, binding)
  if (!found.ok) throw rejected(found.code, token)
  return found
}

/** Throws for a token that may not be rotated, regardless of the rest of its record. */
async function refuse(core: Core, rotation: Pick<Rotation, 'entry' | 'options'>): Promise<void> {
  const { entry } = rotation
  const refusal = core.verifier.stateForRotation(entry)
  if (refusal === undefined) return
  if (refusal.code === 'expired' && (await hasFamilyEnded(core, entry))) throw familyEnded()
  if (refusal.code === 'revoked') await detectReuse(core, rotation)
  throw rejected(refusal.code)
}

// The node may not have read its key yet, and an outage is no reason to reject the token.
async function findEntry(core: Core, token: unknown, binding: string): Promise<Entry | Rejected> {
  const found = core.verifier.find(token, binding)
  if (found.ok || found.code !== 'unknown_key') return found
  await lookUpKeyOf(core, token)
  return core.verifier.find(token, binding)
}

// Revoking a token that was already rotated must not disable reuse detection.
async function detectReuse(
  core: Core,
  { entry, options }: Pick<Rotation, 'entry' | 'options'>,
): Promise<void> {
  const record = await core.callStore(() => readToken(core.store, entry.principal.id))
  if (record?.successor == null) return
  const successor = await core.callStore(() => readToken(core.store, record.successor as string))
  if (successor === undefined) return
  await assertMatches(core, record, entry.principal)
  await assertSuccessor(core, record, successor)
  if (isReuse(core, { entry, record }, successor)) await reused(core, { entry, record, options })
}

// No token outlives its family. The holder of its last token is told that rotating earlier would not have helped.
async function hasFamilyEnded(core: Core, { principal }: Entry): Promise<boolean> {
  const record = await core
    .callStore(() => readToken(core.store, principal.id))
    .catch(() => undefined)
  return (
    record !== undefined &&
    record.revokedAt === null &&
    core.clock.judged() >= record.familyExpiresAt
  )
}

async function loadRecord(core: Core, entry: Entry, options: Options): Promise<TokenRecord> {
  const { principal } = entry
  const record = await core.callStore(() => readToken(core.store, principal.id))
  if (record === undefined) {
    throw new WatchwordError(
      'ERR_TOKEN_UNKNOWN',
      'the token is authentic, but the store has no record of it',
    )
  }
  // A revocation may have arrived since the first check.
  if (record.revokedAt !== null) {
    await detectReuse(core, { entry, options })
    throw rejected('revoked')
  }
  await assertMatches(core, record, principal)
  return record
}

/**
 * Handles a token that was rotated before: returns the same successor within the grace, and treats it as reuse
 * afterwards.
 */
async function again(core: Core, rotation: Rotation): Promise<IssuedToken> {
  const { record } = rotation
  const successor = await core.callStore(() => readToken(core.store, record.successor as string))
  if (successor === undefined) throw rejected('superseded')
  await assertMatches(core, record, rotation.entry.principal)
  await assertSuccessor(core, record, successor)
  if (isReuse(core, rotation, successor)) return reused(core, rotation)
  assertNotFrozen(core, 'rotate')
  if (successor.revokedAt !== null) throw rejected('revoked')
  if (core.clock.judged() >= successor.expiresAt) throw rejected('superseded')
  // The first response may have been lost before the log had it.
  await announceRotation(core, record, record.supersededAt)
  return sealSuccessor(core, rotation, successor)
}

// Once the successor was rotated too, this token is no longer its immediate predecessor.
function isReuse(
  core: Core,
  { entry, record }: Pick<Rotation, 'entry' | 'record'>,
  successor: TokenRecord,
): boolean {
  // The end from the log is used as well, because the row may have been edited.
  const logged = core.index.deadline(entry.principal)
  const end = Math.min(
    record.supersededAt ?? NOT_REVOKED,
    logged === REVOKED ? NOT_REVOKED : logged,
  )
  return core.clock.judged() >= end || successor.successor !== null
}

async function reused(core: Core, { record, options }: Rotation): Promise<never> {
  const { id, subject, audience, policy, family } = record
  const action = core.options.policies.get(policy)?.reuse ?? 'revoke-family'
  if (action === 'revoke-family' && !isFamilyRevoked(core, record)) {
    await revoke(
      core,
      { family },
      { reason: 'a rotated token was presented again', actor: options.actor },
    )
  }
  if (action !== 'observe') {
    core.trail.noteOnce(id, {
      action: 'token.reused',
      actor: options.actor,
      id,
      subject,
      audience,
      policy,
      family,
    })
  }
  throw new WatchwordError(
    'ERR_TOKEN_REUSED',
    'the token was rotated before, and its grace is over',
    { reason: 'superseded' },
  )
}

// The family is revoked once, regardless of how often the token is presented.
function isFamilyRevoked({ index, follower }: Core, { family }: TokenRecord): boolean {
  const entry = { kind: 'family', value: family, before: 0, expiresAt: 0 } as const
  return index.isFamilyRevoked(family) && !follower.isPending(entry)
}

async function succeed(core: Core, rotation: Rotation): Promise<IssuedToken> {
  const { record, options, entry } = rotation
  await assertDetails(core, record)
  const policy = policyOf(core, record.policy)
  assertAudited(core, policy)
  spendRotation(policy, entry.principal, core.clock.judged())
  if (!core.index.admitsRotation(record.family)) throw revocationsFull(core)
  const granted = successorScopes(record, policy, options.scopes)
  const ringKey = await core.keyring.issuing(record.audience)
  const successor = newSuccessor(core, {
    record,
    policy,
    ringKey,
    scopes: granted.scopes,
    actor: options.actor,
    ttl: options.ttl,
  })
  const supersededAt =
    policy.retireOn === 'first-use'
      ? null
      : Math.min(successor.issuedAt + policy.graceMs, record.expiresAt)
  const input: SealInput = {
    record: successor,
    custom: entry.custom,
    binding: options.binding ?? '',
  }
  const issued = sealToken(core, ringKey, input, granted.lost)
  // Last, since a key may have been loaded in between.
  assertActive(core, entry)
  const event = rotatedEvent(core, record, successor, granted.lost)
  const result = await link(core, rotation, { successor, supersededAt, event })
  if (result.outcome === 'revoked') throw rejected('revoked')
  if (result.outcome === 'missing')
    throw new WatchwordError('ERR_TOKEN_UNKNOWN', 'the store lost the record of the token')
  // Another process rotated the token between the read and the write: its successor is used.
  if (result.outcome === 'already') return again(core, { ...rotation, record: result.predecessor })
  await announceRotation(core, record, supersededAt).finally(() => core.trail.written(event))
  return issued
}

/** Throws if rotation was frozen, or the token suspended, since it was authenticated. */
function assertActive(core: Core, entry: Entry): void {
  assertNotFrozen(core, 'rotate')
  if (core.verifier.stateForRotation(entry)?.code === 'suspended') throw rejected('suspended')
}

interface Link {
  readonly successor: TokenRecord
  readonly supersededAt: number | null
  readonly event: AuditDraft
}

/** Stores the successor. It inherits the details that the token has at that moment. */
async function link(
  core: Core,
  { record, entry }: Pick<Rotation, 'record' | 'entry'>,
  { successor, supersededAt, event }: Link,
): Promise<Exclude<Succession, { readonly outcome: 'changed' }>> {
  let next = successor
  for (let attempt = 0; attempt < DETAILS_ATTEMPTS; attempt++) {
    const result = await core.callStore(
      () => writeSuccession(core.store, record.id, next, supersededAt, event.rows),
      'succeed',
    )
    if (result.outcome !== 'changed') return result
    await assertMatches(core, result.predecessor, entry.principal)
    await assertDetails(core, result.predecessor)
    next = withDetailsOf(core, next, result.predecessor)
  }
  throw detailsContended(record.id)
}

function revocationsFull({ options }: Core): WatchwordError {
  return new WatchwordError(
    'ERR_REVOCATIONS_FULL',
    `this node has almost maxRevocations (${options.maxRevocations}) revocations and reserves the rest for revocations; raise maxRevocations, or shorten the maxLifetime of the policies`,
  )
}

function rotatedEvent(
  core: Core,
  record: TokenRecord,
  successor: TokenRecord,
  lostScopes: readonly string[],
): AuditDraft {
  const { id, subject, audience, policy, family, keyId, issuedBy } = successor
  return core.trail.draft({
    action: 'token.rotated',
    actor: issuedBy,
    id,
    subject,
    audience,
    policy,
    family,
    keyId,
    predecessor: record.id,
    ...(lostScopes.length === 0 ? {} : { lostScopes }),
  })
}

// Seals with the key of the record, so every copy of one token expires with the same key.
async function sealSuccessor(
  core: Core,
  { entry, record, options }: Rotation,
  successor: TokenRecord,
): Promise<IssuedToken> {
  const { keyring } = core
  if (keyring.get(successor.keyId) === undefined) await keyring.refresh()
  const ringKey = keyring.get(successor.keyId)
  if (ringKey === undefined)
    throw new WatchwordError('ERR_NO_SIGNING_KEY', 'the key of the successor is not loaded')
  const input = { record: successor, custom: entry.custom, binding: options.binding ?? '' }
  const policy = core.options.policies.get(successor.policy)
  const wanted = normaliseScopes(options.scopes ?? record.scopes)
  return sealToken(core, ringKey, input, policy === undefined ? [] : grantedBy(policy, wanted).lost)
}
