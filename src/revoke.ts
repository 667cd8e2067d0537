/**
 * Revocation: first refused here, then in the feed for every node, then marked in the store.
 *
 * @module
 */
import * as z from 'zod/mini'
import { audit, type Core, rejected } from './core.js'
import type { Position } from './feed/feed.js'
import { parseInput } from './issue.js'
import { MAX_SKEW_MS } from './keys/rotation.js'
import { isName } from './name.js'
import type { RevocationEntry } from './revocation/event.js'
import { readToken } from './store/checked.js'
import type { Revocation, RevocationKind } from './store/store.js'
import { isUlid } from './token/claims.js'

/** Why, and at whose word. */
export interface RevokeOptions {
  /** Who revokes, for the record: 1 to 256 characters. */
  readonly actor: string
  /** For the record: 1 to 1024 characters. Default: none. */
  readonly reason?: string
  /** What the token was bound to, when the target is a bound token. Default: nothing. */
  readonly binding?: string
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
  readonly position: Position
}

const text = (max: number) =>
  z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`)

const optionsSchema = z.strictObject(
  { actor: text(256), reason: z.optional(text(1024)), binding: z.optional(text(1024)) },
  'expected an object with at least actor',
)

const ulid = z.custom<string>(isUlid, 'expected a ULID, as in `id` and `family`')

const targetSchema = z.union(
  [
    z.strictObject({ token: z.string() }),
    z.strictObject({ id: ulid }),
    z.strictObject({ family: ulid }),
    z.strictObject({ subject: text(1024) }),
    z.strictObject({ key: z.string().check(z.regex(/^k4\.lid\.[A-Za-z0-9_-]{44}$/)) }),
    z.strictObject({ audience: text(256) }),
    z.strictObject({ all: z.literal(true) }),
  ],
  'expected exactly one of { token }, { id }, { family }, { subject }, { key }, { audience } and { all: true }',
)

type Target = z.output<typeof targetSchema>

/** Revokes. When it resolves, nothing that it covers is accepted on this node, nor later than `maxStaleness` on any. */
export async function revoke(
  core: Core,
  rawTarget: unknown,
  rawOptions: unknown,
): Promise<RevokeReceipt> {
  const options = parseInput(optionsSchema, rawOptions)
  const target = parseInput(targetSchema, rawTarget)
  // But for the look at a record, there is no wait before the index has it: what is cached is refused in the same tick.
  const aim =
    'id' in target ? await aimAtId(core, target.id) : aimOf(core, target, options.binding ?? '')
  const at = core.clock.now()
  const id = core.newId(at)
  // The highest time that this node has lived through: a clock that was stepped back must not spare what it issued.
  const lived = Math.max(at, core.clock.judged())
  // Tokens are issued after the last watermark, so one issued in this very millisecond may be stamped with the next.
  const before = Math.max(lived, core.index.latestAround(aim.kind, aim.value) + 1)
  const entry = entryOf(aim, before)
  // Here first, so that the token is refused on this node even if the feed cannot be reached.
  core.index.apply(entry)
  const { kind, value, expiresAt } = aim
  const { actor, reason = null } = options
  const revocation: Revocation = { id, kind, value, before, at, actor, reason, expiresAt }
  const mark = () => core.callStore(() => core.store.revoke(revocation))
  const position = await core.follower.publish([entry]).catch(async (uncertain: unknown) => {
    // The store still gets to know, so that the token cannot be rotated away from under the revocation.
    await mark().catch(() => undefined)
    throw uncertain
  })
  await mark()
  if (kind === 'key') await replaceKey(core, value)
  audit(core, { action: 'revoked', actor, target: kind, id: value, reason })
  return Object.freeze({ id, kind, value, at, position: Object.freeze({ ...position }) })
}

interface Aim {
  readonly kind: RevocationKind
  readonly value: string
  readonly expiresAt: number
}

function entryOf({ kind, value, expiresAt }: Aim, before: number): RevocationEntry {
  return kind === 'token' ? { kind, value, expiresAt } : { kind, value, before, expiresAt }
}

function aimOf(core: Core, target: Exclude<Target, { id: string }>, binding: string): Aim {
  if ('token' in target) return aimAtToken(core, target.token, binding)
  if ('family' in target) return { kind: 'family', value: target.family, expiresAt: horizon(core) }
  if ('subject' in target)
    return { kind: 'subject', value: target.subject, expiresAt: horizon(core) }
  if ('key' in target) return { kind: 'key', value: target.key, expiresAt: horizon(core) }
  if ('audience' in target)
    return { kind: 'audience', value: target.audience, expiresAt: horizon(core) }
  return { kind: 'all', value: '', expiresAt: horizon(core) }
}

// Whoever presents an authentic token may have it killed, be it expired, outdated or revoked already.
function aimAtToken(core: Core, token: string, binding: string): Aim {
  const found = core.verifier.find(token, binding)
  if ('ok' in found) throw rejected(found.code)
  return { kind: 'token', value: found.principal.id, expiresAt: found.principal.expiresAt }
}

// An id that nobody has seen is revoked all the same, for as long as any token could live: its record may be late.
async function aimAtId(core: Core, id: string): Promise<Aim> {
  const record = await core.callStore(() => readToken(core.store, id)).catch(() => undefined)
  return { kind: 'token', value: id, expiresAt: record?.expiresAt ?? horizon(core) }
}

/** When no token that exists by now can be alive any more: none outlives its key. */
function horizon(core: Core): number {
  let last = core.clock.now()
  for (const policy of core.options.policies.values())
    last = Math.max(last, core.clock.now() + policy.ttlMs)
  for (const key of core.keyring.list()) last = Math.max(last, key.expiresAt)
  return last + MAX_SKEW_MS
}

// Issuing must not wait for the next request to find out that its key is gone.
async function replaceKey(core: Core, keyId: string): Promise<void> {
  const audience = core.keyring.get(keyId)?.record.audience
  await core.keyring.refresh()
  if (audience !== undefined) await core.keyring.issuing(audience)
}
