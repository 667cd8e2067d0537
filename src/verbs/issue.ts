/**
 * Issuing.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import type { RingKey } from '../keys/ring.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { type Duration, parseDuration } from '../lib/duration.js'
import { deepFreeze } from '../lib/freeze.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { describe, listed, quote } from '../lib/quote.js'
import { optional, parseInput, strict } from '../lib/schema.js'
import { type AuditDraft, rowsOf } from '../observe/audit/trail.js'
import { familyLifetime, lifetime } from '../policy/lifetime.js'
import { DETAILS, type Policy } from '../policy/policy.js'
import { isScope, MAX_SCOPES, normaliseScopes, uncovered } from '../policy/scopes.js'
import type { LiveLimit, TokenRecord } from '../store/store.js'
import { RESERVED_CLAIMS } from '../token/claims.js'
import { PAYLOAD_LIMITS, parseJsonObject } from '../token/json.js'
import { writePlainJson } from '../token/plain-json.js'
import { hintOf } from '../token/wire.js'
import { assertAudited, type Core, policyOf, sealToken, unknownAudience } from './core.js'
import { validateClaims } from './custom-claims.js'
import { assertRequired, changedDetails, detail } from './details.js'
import { assertNotFrozen } from './frozen.js'
import { throwAtInput } from './input-place.js'
import { issueTime } from './issue-time.js'
import type { IssuedToken } from './issued-token.js'
import { MAX_BINDING_LENGTH } from './requirement.js'

const text = (max: number) =>
  z.custom<string>(
    (value) => isName(value, max),
    `expected 1 to ${max} characters, none of them a control character`,
  )

const shape = {
  policy: text(64),
  subject: text(1024),
  actor: text(256),
  scopes: optional(
    z
      .array(
        z.custom<string>(isScope, "expected a scope such as 'orders:read'"),
        'expected a list of scopes',
      )
      .check(z.maxLength(MAX_SCOPES, `expected at most ${MAX_SCOPES} scopes`)),
  ),
  audience: optional(text(256)),
  ttl: optional(
    z.custom<Duration>(
      (value) => (parseDuration(value) ?? 0) >= 1000,
      "expected a duration of at least 1s, such as '15m' (ms, s, m, h, d or w)",
    ),
  ),
  maxLifetime: optional(
    z.custom<Duration>(
      (value) => (parseDuration(value) ?? 0) >= 1000,
      "expected a duration of at least 1s, such as '8h' (ms, s, m, h, d or w)",
    ),
  ),
  rotatable: optional(z.boolean('expected true or false')),
  notBefore: optional(
    z.custom<number>(
      (value) => Number.isSafeInteger(value) && (value as number) >= 0,
      'expected Unix milliseconds, such as date.getTime()',
    ),
  ),
  binding: optional(text(MAX_BINDING_LENGTH)),
  claims: optional(
    z.custom<Readonly<Record<string, unknown>>>(isPlainObject, 'expected an object'),
  ),
}
const EXPECTED = 'expected an object with at least policy, subject and actor'

const inputSchema = strict(
  {
    ...shape,
    label: optional(detail('label')),
    owner: optional(detail('owner')),
    purpose: optional(detail('purpose')),
  },
  EXPECTED,
)

// Every field of a schema costs time, also one that is absent, and most tokens have no details.
const plainSchema = strict(shape, EXPECTED)

type Input = z.output<typeof inputSchema>

function parseIssue(raw: unknown): Input {
  const plain = mayHaveDetails(raw) ? undefined : plainSchema.safeParse(raw)
  // A rejected input is parsed again, for a message that names every field.
  return plain?.success === true ? plain.data : parseInput(inputSchema, raw)
}

const mayHaveDetails = (raw: unknown): boolean =>
  typeof raw === 'object' && raw !== null && DETAILS.some((name) => name in raw)

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Issues one token: seals it, stores its record, and only then returns it. */
export async function issue(core: Core, raw: unknown): Promise<IssuedToken> {
  const draft = await draftToken(core, raw)
  await insertDrafts(core, [draft])
  return draft.issued
}

/** The maximum number of tokens per call of {@link issueMany}. */
export const MAX_BATCH = 1000

/** Issues tokens atomically: all or none. */
export async function issueMany(core: Core, raws: unknown): Promise<readonly IssuedToken[]> {
  if (!Array.isArray(raws) || raws.length > MAX_BATCH) {
    throw invalidArgument(
      'inputs',
      `expected a list of at most ${MAX_BATCH}, got ${describe(raws)}`,
    )
  }
  const drafts: IssueDraft[] = []
  for (const [index, raw] of raws.entries()) {
    drafts.push(await draftToken(core, raw).catch((error) => throwAtInput(index, error)))
  }
  if (drafts.length > 0) await insertDrafts(core, drafts)
  return drafts.map(({ issued }) => issued)
}

/** A sealed token that is not stored yet. */
interface IssueDraft {
  readonly policy: Policy
  readonly record: TokenRecord
  readonly issued: IssuedToken
}

async function draftToken(core: Core, raw: unknown): Promise<IssueDraft> {
  const input = parseIssue(raw)
  const policy = policyOf(core, input.policy)
  assertAudited(core, policy)
  const audience = audienceOf(core, input.audience)
  const custom = customClaims(core, input.claims)
  const ringKey = core.keyring.issuingNow(audience) ?? (await core.keyring.issuing(audience))
  const draft = newRecord(core, { input, policy, audience, ringKey })
  const issued = sealToken(core, ringKey, { record: draft, custom, binding: input.binding ?? '' })
  const record = core.tagger.ofNewRecord(draft, hintOf(issued.token))
  return { policy, record, issued }
}

async function insertDrafts(core: Core, drafts: readonly IssueDraft[]): Promise<void> {
  // Last, since a key may have been loaded in between.
  assertNotFrozen(core, 'issue')
  const records = drafts.map(({ record }) => record)
  const limit = limitOf(core, drafts)
  const events = records.map((record) => issuedEvent(core, record))
  const rows = rowsOf(events)
  const outcome = await core.callStore(
    () => core.store.insertTokens(records, limit, rows),
    'insertTokens',
  )
  if (outcome === 'limit') {
    throw new WatchwordError(
      'ERR_LIMIT_REACHED',
      `the subject would hold more than ${limit?.max} valid tokens of policy ${quote(records[0]?.policy ?? '')} (its maxActivePerSubject)`,
    )
  }
  for (const event of events) core.trail.written(event)
}

// A store counts for one holder at a time: not every store can count for several holders and insert atomically.
function limitOf(core: Core, drafts: readonly IssueDraft[]): LiveLimit | undefined {
  const limited = drafts.find(({ policy }) => policy.maxActivePerSubject !== undefined)
  if (limited === undefined) return undefined
  const { subject, policy } = limited.record
  if (drafts.some(({ record }) => record.subject !== subject || record.policy !== policy)) {
    throw invalidArgument(
      'inputs',
      'with a policy that has maxActivePerSubject, expected one subject and one policy',
    )
  }
  return { max: limited.policy.maxActivePerSubject as number, now: core.clock.now() }
}

const NO_DETAILS = { label: null, owner: null, purpose: null }

function issuedEvent(core: Core, record: TokenRecord): AuditDraft {
  const { id, subject, audience, policy, family, keyId, issuedBy } = record
  return core.trail.draft({
    action: 'token.issued',
    actor: issuedBy,
    id,
    subject,
    audience,
    policy,
    family,
    keyId,
    ...(record.detailsTag === '' ? {} : changedDetails(NO_DETAILS, record)),
  })
}

function audienceOf(core: Core, asked: string | undefined): string {
  const { audiences } = core.options
  if (asked === undefined && audiences.length > 1) {
    throw invalidArgument(
      'audience',
      `expected one of those that this authority serves (${listed(audiences)}), got none`,
    )
  }
  const audience = asked ?? (audiences[0] as string)
  if (!audiences.includes(audience)) throw unknownAudience(audience, audiences)
  return audience
}

const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({})

// Claims are validated as they will be read: values that JSON drops or changes must not produce an unverifiable token.
function customClaims(
  core: Core,
  claims: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> {
  const schema = core.options.claims
  const written = claims === undefined ? NO_CLAIMS : throughJson(claims)
  if (schema === undefined) return written
  const checked = validateClaims(schema, deepFreeze(written))
  if (!checked.ok) throw new WatchwordError('ERR_CLAIMS_INVALID', checked.fault)
  return written
}

// The twelve reserved claims count towards the limit of the whole payload.
const CUSTOM_LIMITS = { maxDepth: PAYLOAD_LIMITS.maxDepth, maxKeys: PAYLOAD_LIMITS.maxKeys - 12 }

function throughJson(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  refuseReserved(claims)
  const parsed = parseJsonObject(writePlainJson(claims), CUSTOM_LIMITS)
  if (parsed !== undefined) return parsed
  const { maxKeys } = CUSTOM_LIMITS
  throw new WatchwordError('ERR_CLAIMS_INVALID', `claims: expected at most ${maxKeys} keys in all`)
}

function refuseReserved(claims: Readonly<Record<string, unknown>>): void {
  for (const name of Object.getOwnPropertyNames(claims)) {
    if (RESERVED_CLAIMS.has(name)) {
      throw new WatchwordError(
        'ERR_RESERVED_CLAIM',
        `claims: the name ${quote(name)} is reserved for the library; choose another one`,
      )
    }
  }
}

interface RecordParts {
  readonly input: Input
  readonly policy: Policy
  readonly audience: string
  readonly ringKey: RingKey
}

function newRecord(core: Core, { input, policy, audience, ringKey }: RecordParts): TokenRecord {
  const scopes = normaliseScopes(input.scopes ?? [])
  const ungrantable = uncovered(policy.scopes, scopes)
  if (ungrantable.length > 0) {
    throw new WatchwordError(
      'ERR_SCOPE_NOT_GRANTABLE',
      `scopes: policy ${quote(policy.name)} does not grant ${quote(ungrantable[0] as string)} (it grants: ${listed(policy.scopes)})`,
    )
  }
  const { label = null, owner = null, purpose = null } = input
  assertRequired(policy, { label, owner, purpose })
  const ttl = lifetime(policy, input.ttl)
  const issuedAt = issueTime(core, input.subject, audience)
  const familyExpiresAt = issuedAt + familyLifetime(policy, input.maxLifetime)
  const keyEndsAt = ringKey.record.expiresAt - MAX_SKEW_MS
  const expiresAt = Math.min(issuedAt + ttl, familyExpiresAt, keyEndsAt)
  const notBefore = input.notBefore ?? null
  if (notBefore !== null && notBefore >= expiresAt) {
    throw invalidArgument('notBefore', 'expected a time before the token expires')
  }
  const id = core.newId(issuedAt)
  return {
    id,
    family: id,
    generation: 0,
    predecessor: null,
    successor: null,
    subject: input.subject,
    audience,
    policy: policy.name,
    policyVersion: policy.version,
    scopes,
    keyId: ringKey.record.id,
    issuedAt,
    notBefore,
    expiresAt,
    familyIssuedAt: issuedAt,
    familyExpiresAt,
    issuedBy: input.actor,
    ttl,
    rotatable: input.rotatable ?? true,
    // Filled in once the token is sealed. V8 copies an object with all its fields much faster than it adds one.
    tag: '',
    label,
    owner,
    purpose,
    hint: null,
    detailsTag: '',
    supersededAt: null,
    revokedAt: null,
    revokedBy: null,
    revokedReason: null,
    lastUsedAt: null,
  }
}
