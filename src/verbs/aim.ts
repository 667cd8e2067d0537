/**
 * The aim of a revocation: what it names, until when it matters, and up to which time of issue it reaches.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { has } from '../lib/fields.js'
import { isName } from '../lib/name.js'
import { allowedNames, quote } from '../lib/quote.js'
import { parseInput, strict } from '../lib/schema.js'
import type { RevocationEntry, SuccessorsEntry } from '../revocation/index/entries.js'
import { readToken } from '../store/checked.js'
import type { RevocationKind, TokenRecord } from '../store/store.js'
import { isUlid } from '../token/claims.js'
import { type Core, lookUpKeyOf, rejected } from './core.js'
import { maxAheadMs } from './issue-time.js'

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

/** A target that was checked. */
export type Target = z.output<typeof targetSchema>

const invalid = (message: string) =>
  new WatchwordError('ERR_INVALID_ARGUMENT', `target: ${message}`)

/** Checks a target. Throws `ERR_INVALID_ARGUMENT`, naming the field and the fix. */
export function parseTarget(raw: unknown): Target {
  // A union says only that no member fits; the member of the one field says what is wrong with its value.
  const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw)
  const names = isObject ? Object.keys(raw) : []
  const unknown = names.find((name) => !Object.hasOwn(TARGETS, name))
  if (unknown !== undefined) {
    const allowed = allowedNames(unknown, Object.keys(TARGETS))
    throw invalid(`unknown field ${quote(unknown)}${allowed}`)
  }
  if (names.length > 1) throw invalid(`${ONE_TARGET}, got { ${names.join(', ')} }`)
  const [field] = names as (keyof typeof TARGETS)[]
  const member: z.ZodMiniType<Target> = field === undefined ? targetSchema : TARGETS[field]
  return parseInput(member, raw, 'target')
}

/**
 * Up to which time of issue a revocation kills. A node whose clock is ahead stamps what it has already issued with times
 * to come, so it reaches past this one's by half of the tolerance; a node that knows of it stamps later than that. What
 * is left of the tolerance is for nodes whose clocks are behind and that are to accept such a token at once.
 */
export function reach(core: Core, { kind, value }: Aim): number {
  const { clock, index, options } = core
  // The highest time that this node has lived through: a clock that was stepped back must not spare what it issued.
  const lived = Math.max(clock.now(), clock.judged())
  const ahead = kind === 'token' ? 0 : Math.floor(options.clockToleranceMs / 2)
  // Tokens are issued after the last watermark, so one issued in this very millisecond may be stamped with the next.
  return Math.max(lived + ahead, index.latestAround(kind, value, lived + maxAheadMs(core)) + 1)
}

/** A place in a family: the token itself, and everything that was made from it. */
interface Descent {
  readonly family: string
  readonly generation: number
  /** When the last successor has expired. */
  readonly endsAt: number
}

/** What a revocation names. */
export interface Aim {
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /** When the last token that it covers has expired. */
  readonly expiresAt: number
  /** Whether the expiry is not the token's own, because its record was not available. */
  readonly loose?: true
  /** Of a token: where it stands in its family, when that is known for certain. */
  readonly descent?: Descent
}

/** The entry of the log that revokes what the aim names. */
export function entryOf({ kind, value, expiresAt, loose }: Aim, before: number): RevocationEntry {
  if (kind !== 'token') return { kind, value, before, expiresAt }
  return loose ? { kind, value, expiresAt, loose } : { kind, value, expiresAt }
}

/** The entry of the log that revokes every successor of a token. */
export const successorsEntry = ({ family, generation, endsAt }: Descent): SuccessorsEntry => ({
  kind: 'successors',
  value: family,
  generation: generation + 1,
  expiresAt: endsAt,
})

/** Finds out what is meant. Rejects with `ERR_TOKEN_REJECTED` for a token that is not authentic. */
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

// The holder of an authentic token may have it revoked, be it expired, outdated or revoked already.
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

// Its key may be one that this node has yet to read. An outage is no proof that the token is invalid.
async function aimAtNewKey(core: Core, token: string, binding: string): Promise<Aim> {
  await lookUpKeyOf(core, token)
  const aim = aimAtToken(core, token, binding)
  if (aim === undefined) throw rejected('unknown_key')
  return aim
}

// An unknown id is revoked all the same, for as long as any token could be valid: its record may be late.
async function aimAtId(core: Core, value: string): Promise<Aim> {
  const record = await core.callStore(() => readToken(core.store, value)).catch(() => undefined)
  const aim = record === undefined ? undefined : await aimAtRecord(core, record)
  return aim ?? { kind: 'token', value, expiresAt: horizon(core), loose: true }
}

/** The aim at a record; `undefined` for one that is not proved to be as this authority wrote it. */
export async function aimAtRecord(core: Core, record: TokenRecord): Promise<Aim | undefined> {
  // An edited expiry would hide the token from the index, an edited family would revoke the tokens of another holder.
  if ((await core.tagger.checkRecord(record)) !== 'intact') return undefined
  const { id: value, family, generation, expiresAt, familyExpiresAt } = record
  const endsAt = Math.max(expiresAt, familyExpiresAt)
  return { kind: 'token', value, expiresAt, descent: { family, generation, endsAt } }
}

/** When no token that exists by now can be valid any more: none outlives its key. */
function horizon(core: Core): number {
  let last = core.clock.now()
  for (const policy of core.options.policies.values())
    last = Math.max(last, core.clock.now() + policy.ttlMs)
  for (const key of core.keyring.stored) last = Math.max(last, key.expiresAt)
  return last + MAX_SKEW_MS
}
