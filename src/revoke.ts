/**
 * Revocation: first refused here, then in the feed for every node, then marked in the store.
 *
 * @module
 */
import * as z from 'zod/mini'
import { audit, type Core, lookUpKeyOf, rejected } from './core.js'
import { type Duration, HOUR, parseDuration, SECOND } from './duration.js'
import { WatchwordError } from './errors.js'
import type { Position } from './feed/feed.js'
import { has } from './fields.js'
import { MAX_SKEW_MS } from './keys/rotation.js'
import { isName } from './name.js'
import type { RevocationEntry } from './revocation/event.js'
import { optional, parseInput, strict } from './schema.js'
import { readToken } from './store/checked.js'
import type { Revocation, RevocationKind } from './store/store.js'
import { isUlid } from './token/claims.js'
import type { LogPosition } from './types.js'

/** Why, and at whose word. */
export interface RevokeOptions {
  /** Who revokes, for the record: 1 to 256 characters. */
  readonly actor: string
  /** For the record: 1 to 1024 characters. Default: none. */
  readonly reason?: string
  /** What the token was bound to, when the target is a bound token. Default: nothing. */
  readonly binding?: string
  /**
   * `all`: resolve when every live node has said that it has applied the revocation, or when `timeout` is over; the
   * receipt tells who has. Default: `local`, when the feed has it and this node refuses.
   */
  readonly waitFor?: 'local' | 'all'
  /** How long to wait for the other nodes, at most an hour. Default: `maxStaleness` and a second. */
  readonly timeout?: Duration
}

/** The receipt of a revocation. */
export interface RevokeReceipt {
  /** The ULID under which the store keeps the revocation. */
  readonly id: string
  readonly kind: RevocationKind
  /** The token id, family id, subject, key id or audience; empty for `all`. */
  readonly value: string
  /** Unix milliseconds. */
  readonly at: number
  /** Where the feed has it: a node at or past this position refuses. */
  readonly position: LogPosition
  /**
   * With `waitFor: 'all'`, the nodes by name: those that have applied it, this one among them, and those that had not
   * said so by the end of the wait. A node that cannot be reached for longer than `maxStaleness` refuses every token.
   */
  readonly nodes?: { readonly applied: readonly string[]; readonly pending: readonly string[] }
}

const text = (max: number) =>
  z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`)

const optionsSchema = strict(
  {
    actor: text(256),
    reason: optional(text(1024)),
    binding: optional(text(1024)),
    waitFor: optional(
      z.custom<'local' | 'all'>(
        (value) => value === 'local' || value === 'all',
        "expected 'local' or 'all'",
      ),
    ),
    timeout: optional(
      z.custom<Duration>((value) => {
        const ms = parseDuration(value)
        return ms !== undefined && ms <= HOUR
      }, "expected a duration of at most an hour, such as '5s'"),
    ),
  },
  'expected an object with at least actor',
)

const ulid = z.custom<string>(isUlid, 'expected a ULID, as in `id` and `family`')

const keyId = z.custom<string>(
  (value) => typeof value === 'string' && /^k4\.lid\.[A-Za-z0-9_-]{44}$/.test(value),
  "expected a key id, 'k4.lid.' and 44 characters, as in `keyId` of a token and in keys.list()",
)

const TARGETS = {
  token: strict({ token: z.string('expected the text of a token') }),
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

type Target = z.output<typeof targetSchema>

// A union says only that no member fits; the member of the one field says what is wrong with its value.
function parseTarget(raw: unknown): Target {
  const [field = '', ...more] = typeof raw === 'object' && raw !== null ? Object.keys(raw) : []
  if (more.length > 0 && [field, ...more].every((name) => Object.hasOwn(TARGETS, name)))
    throw new WatchwordError('ERR_INVALID_ARGUMENT', `target: ${ONE_TARGET}, got several`)
  if (more.length > 0 || !Object.hasOwn(TARGETS, field)) return parseInput(targetSchema, raw)
  const member: z.ZodMiniType<Target> = TARGETS[field as keyof typeof TARGETS]
  return parseInput(member, raw)
}

/** Revokes. When it resolves, nothing that it covers is accepted on this node, nor later than `maxStaleness` on any. */
export async function revoke(
  core: Core,
  rawTarget: unknown,
  rawOptions: unknown,
): Promise<RevokeReceipt> {
  const options = parseInput(optionsSchema, rawOptions)
  const target = parseTarget(rawTarget)
  // But for the look at a record, there is no wait before the index has it: what is cached is refused in the same tick.
  const aim = has(target, 'id')
    ? await aimAtId(core, target.id)
    : (aimOf(core, target, options.binding ?? '') ??
      (await aimAtNewKey(core, target, options.binding ?? '')))
  const at = core.clock.now()
  const id = core.newId(at)
  const before = reach(core, aim)
  const entry = entryOf(aim, before)
  // Here first, so that the token is refused on this node even if the feed cannot be reached.
  core.index.apply(entry)
  const { kind, value, expiresAt } = aim
  const { actor, reason = null } = options
  const revocation: Revocation = core.tagger.ofRevocation({
    id,
    kind,
    value,
    before: aim.loose ? 0 : before,
    at,
    actor,
    reason,
    expiresAt,
    family: null,
    generation: null,
  })
  const mark = () => core.callStore(() => core.store.revoke(revocation))
  const { position, nodes } = await publish(core, entry, options).catch(
    async (uncertain: unknown) => {
      // The store still gets to know, so that the token cannot be rotated away from under the revocation.
      await mark().catch(() => undefined)
      throw uncertain
    },
  )
  await mark()
  if (kind === 'key') await replaceKey(core, value)
  audit(core, { action: 'revoked', actor, target: kind, id: value, reason })
  return Object.freeze({ id, kind, value, at, position, ...(nodes === undefined ? {} : { nodes }) })
}

type Published = Pick<RevokeReceipt, 'position' | 'nodes'>

async function publish(
  { follower, options }: Core,
  entry: RevocationEntry,
  { waitFor, timeout }: z.output<typeof optionsSchema>,
): Promise<Published> {
  if (waitFor !== 'all') return { position: placeOf(await follower.publish([entry])) }
  const timeoutMs = parseDuration(timeout) ?? options.maxStalenessMs + SECOND
  const { position, applied, pending } = await follower.rollCall([entry], timeoutMs)
  return { position: placeOf(position), nodes: Object.freeze({ applied, pending }) }
}

const placeOf = ({ epoch, seq }: Position): LogPosition => Object.freeze({ epoch, seq })

/**
 * Up to which time of issue a revocation kills. A node whose clock is ahead stamps what it has already issued with times
 * to come, so it reaches past this one's by half of the tolerance; a node that knows of it stamps later than that. What
 * is left of the tolerance is for nodes whose clocks are behind and that are to accept such a token at once.
 */
function reach({ clock, index, options }: Core, { kind, value }: Aim): number {
  // The highest time that this node has lived through: a clock that was stepped back must not spare what it issued.
  const lived = Math.max(clock.now(), clock.judged())
  const ahead = kind === 'token' ? 0 : Math.floor(options.clockToleranceMs / 2)
  // Tokens are issued after the last watermark, so one issued in this very millisecond may be stamped with the next.
  return Math.max(lived + ahead, index.latestAround(kind, value) + 1)
}

interface Aim {
  readonly kind: RevocationKind
  readonly value: string
  readonly expiresAt: number
  /** Whether the expiry is no token's own, for want of a record. */
  readonly loose?: true
}

function entryOf({ kind, value, expiresAt, loose }: Aim, before: number): RevocationEntry {
  if (kind !== 'token') return { kind, value, before, expiresAt }
  return loose ? { kind, value, expiresAt, loose } : { kind, value, expiresAt }
}

function aimOf(
  core: Core,
  target: Exclude<Target, { id: string }>,
  binding: string,
): Aim | undefined {
  if (has(target, 'token')) return aimAtToken(core, target.token, binding)
  if (has(target, 'family'))
    return { kind: 'family', value: target.family, expiresAt: horizon(core) }
  if (has(target, 'subject'))
    return { kind: 'subject', value: target.subject, expiresAt: horizon(core) }
  if (has(target, 'key')) return { kind: 'key', value: target.key, expiresAt: horizon(core) }
  if (has(target, 'audience'))
    return { kind: 'audience', value: target.audience, expiresAt: horizon(core) }
  return { kind: 'all', value: '', expiresAt: horizon(core) }
}

// Whoever presents an authentic token may have it killed, be it expired, outdated or revoked already.
function aimAtToken(core: Core, token: string, binding: string): Aim | undefined {
  const found = core.verifier.find(token, binding)
  if (found.ok) {
    const { id, expiresAt } = found.principal
    return { kind: 'token', value: id, expiresAt }
  }
  if (found.code === 'unknown_key') return undefined
  throw rejected(found.code)
}

// Its key may be one that this node has yet to read. When that cannot be found out, nobody may take the token for dead.
async function aimAtNewKey(core: Core, target: Target, binding: string): Promise<Aim> {
  if (has(target, 'token')) await lookUpKeyOf(core, target.token)
  const aim = has(target, 'token') ? aimAtToken(core, target.token, binding) : undefined
  if (aim === undefined) throw rejected('unknown_key')
  return aim
}

// An id that nobody has seen is revoked all the same, for as long as any token could live: its record may be late.
async function aimAtId(core: Core, id: string): Promise<Aim> {
  const record = await core.callStore(() => readToken(core.store, id)).catch(() => undefined)
  // An expiry that was edited would end the revocation before the token.
  if (record !== undefined && (await core.tagger.checkRecord(record)) === 'intact')
    return { kind: 'token', value: id, expiresAt: record.expiresAt }
  return { kind: 'token', value: id, expiresAt: horizon(core), loose: true }
}

/** When no token that exists by now can be alive any more: none outlives its key. */
function horizon(core: Core): number {
  let last = core.clock.now()
  for (const policy of core.options.policies.values())
    last = Math.max(last, core.clock.now() + policy.ttlMs)
  for (const key of core.keyring.stored) last = Math.max(last, key.expiresAt)
  return last + MAX_SKEW_MS
}

// Issuing must not wait for the next request to find out that its key is gone.
async function replaceKey(core: Core, keyId: string): Promise<void> {
  const audience = core.keyring.get(keyId)?.record.audience
  await core.keyring.refresh()
  if (audience !== undefined) await core.keyring.issuing(audience)
}
