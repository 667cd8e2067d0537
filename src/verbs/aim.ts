/**
 * The aim of a revocation: its target and its expiry.
 *
 * @module
 */
import * as z from 'zod/mini'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { has } from '../lib/fields.js'
import { invalidArgument } from '../lib/invalid.js'
import { isName } from '../lib/name.js'
import { allowedNames, quote } from '../lib/quote.js'
import { parseInput, strict } from '../lib/schema.js'
import type { RevocationEntry, SuccessorsEntry } from '../revocation/index/entries.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import { readToken } from '../store/checked.js'
import type { RevocationKind, TokenRecord } from '../store/store.js'
import { isUlid } from '../token/claims.js'
import { type Core, lookUpKeyOf, rejected } from './core.js'

const text = (max: number) =>
  z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`)

const ulid = z.custom<string>(isUlid, 'expected a ULID, as in `id` and `family`')

const keyId = z.custom<string>(
  (value) => typeof value === 'string' && /^k4\.lid\.[A-Za-z0-9_-]{44}$/.test(value),
  "expected a key id, 'k4.lid.' and 44 characters, as in `keyId` of a token and in keys.list()",
)

const TARGETS = {
  token: strict({ token: z.string('expected the text of a token, such as issued.token') }),
  id: strict({ id: ulid }),
  family: strict({ family: ulid }),
  subject: strict({ subject: text(1024) }),
  key: strict({ key: keyId }),
  audience: strict({ audience: text(256) }),
  all: strict({ all: z.literal(true, 'expected true') }),
} as const

const ONE_TARGET =
  'expected exactly one of { token }, { id }, { family }, { subject }, { key }, { audience } and { all: true }'

const targetSchema = z.union(
  [
    TARGETS.token,
    TARGETS.id,
    TARGETS.family,
    TARGETS.subject,
    TARGETS.key,
    TARGETS.audience,
    TARGETS.all,
  ],
  ONE_TARGET,
)

/** A validated target. */
export type Target = z.output<typeof targetSchema>

const WHOLE_TOKEN =
  'expected one field, got the whole object of a token: pass { token: issued.token }, or { id: issued.id } or { id: record.id }'

// What `issue`, `verify` and the lists return.
const isWholeToken = (raw: object, names: readonly string[]): boolean =>
  names.includes('family') && names.includes('subject') && 'id' in raw

const invalid = (message: string) => invalidArgument('target', message)

/** Validates a target. Throws `ERR_INVALID_ARGUMENT`, naming the field and the fix. */
export function parseTarget(raw: unknown): Target {
  // A union error says only that no member matches; the schema of the given field names the problem.
  const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw)
  const names = isObject ? Object.keys(raw) : []
  const unknown = names.find((name) => !Object.hasOwn(TARGETS, name))
  if (unknown !== undefined) {
    if (isWholeToken(raw as object, names)) throw invalid(WHOLE_TOKEN)
    const allowed = allowedNames(unknown, Object.keys(TARGETS))
    throw invalid(`unknown field ${quote(unknown)}${allowed}`)
  }
  if (names.length > 1) throw invalid(`${ONE_TARGET}, got { ${names.join(', ')} }`)
  const [field] = names as (keyof typeof TARGETS)[]
  const member: z.ZodMiniType<Target> = field === undefined ? targetSchema : TARGETS[field]
  return parseInput(member, raw, 'target')
}

/** A position in a family: the token itself and all of its successors. */
interface Descent {
  readonly family: string
  readonly generation: number
  /** When the last successor has expired. */
  readonly endsAt: number
}

/** The target of a revocation. */
export interface Aim {
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /** When the last token that it covers has expired. */
  readonly expiresAt: number
  /** Whether the expiry is only an upper bound, because the token's record was not available. */
  readonly loose?: true
  /** For a token: its position in its family, if that is known for certain. */
  readonly descent?: Descent
}

/** The log entry that revokes the target. */
export function entryOf({ kind, value, expiresAt, loose }: Aim, before: number): RevocationEntry {
  if (kind !== 'token') return { kind, value, before, expiresAt }
  return loose ? { kind, value, expiresAt, loose } : { kind, value, expiresAt }
}

/** The log entry that revokes every successor of a token. */
export const successorsEntry = ({ family, generation, endsAt }: Descent): SuccessorsEntry => ({
  kind: 'successors',
  value: family,
  generation: generation + 1,
  expiresAt: endsAt,
})

/** Resolves the target. Rejects with `ERR_TOKEN_REJECTED` for a token that is not authentic. */
export function aimAt(core: Core, target: Target, binding: string): Aim | Promise<Aim> {
  if (has(target, 'id')) return aimAtId(core, target.id)
  if (has(target, 'token'))
    return aimAtToken(core, target.token, binding) ?? aimAtNewKey(core, target.token, binding)
  const expiresAt = horizon(core)
  if (has(target, 'family')) return { kind: 'family', value: target.family, expiresAt }
  if (has(target, 'subject')) return { kind: 'subject', value: target.subject, expiresAt }
  if (has(target, 'key')) return { kind: 'key', value: target.key, expiresAt }
  if (has(target, 'audience')) return { kind: 'audience', value: target.audience, expiresAt }
  return { kind: 'all', value: '', expiresAt }
}

// The holder of an authentic token may revoke it, even if it is expired, outdated or already revoked.
function aimAtToken(core: Core, token: string, binding: string): Aim | undefined {
  const found = core.verifier.find(token, binding)
  if (found.ok) {
    const { id: value, expiresAt, family, generation } = found.principal
    const descent = { family, generation, endsAt: horizon(core) }
    return { kind: 'token', value, expiresAt, descent }
  }
  if (found.code === 'unknown_key') return undefined
  throw rejected(found.code, token)
}

// The node may not have read its key yet. An outage does not prove that the token is invalid.
async function aimAtNewKey(core: Core, token: string, binding: string): Promise<Aim> {
  await lookUpKeyOf(core, token)
  const aim = aimAtToken(core, token, binding)
  if (aim === undefined) throw rejected('unknown_key')
  return aim
}

// An unknown id is revoked too, for as long as any token could be valid: its record may arrive late.
async function aimAtId(core: Core, value: string): Promise<Aim> {
  const record = await core.callStore(() => readToken(core.store, value)).catch(() => undefined)
  const aim = record === undefined ? undefined : await aimAtRecord(core, record)
  return aim ?? { kind: 'token', value, expiresAt: horizon(core), loose: true }
}

/** The aim for a record; `undefined` if the record is not proved to be unmodified. */
export async function aimAtRecord(core: Core, record: TokenRecord): Promise<Aim | undefined> {
  // An edited expiry would hide the token from the index; an edited family would revoke another holder's tokens.
  if ((await core.tagger.checkRecord(record)) !== 'intact') return undefined
  const { id: value, family, generation, expiresAt, familyExpiresAt } = record
  const endsAt = Math.max(expiresAt, familyExpiresAt)
  return { kind: 'token', value, expiresAt, descent: { family, generation, endsAt } }
}

/** The time after which no existing token is valid: no token outlives its key. */
export function horizon(core: Core): number {
  let last = core.clock.now()
  for (const policy of core.options.policies.values())
    last = Math.max(last, core.clock.now() + policy.ttlMs)
  for (const key of core.keyring.stored) last = Math.max(last, key.expiresAt)
  // The keys of other audiences are unchecked: an edited row must not produce a time that cannot be stored.
  return Math.min(last + MAX_SKEW_MS, MAX_TIME)
}
