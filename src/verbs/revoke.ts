/**
 * Revocation: applied to this node first, then published to every node through the feed, then stored.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { Position } from '../feed/feed.js'
import { parseDuration, SECOND } from '../lib/duration.js'
import { reasonOf } from '../lib/failure-reason.js'
import { parseInput } from '../lib/schema.js'
import type { AuditDraft } from '../observe/audit/trail.js'
import type { RevocationEntry } from '../revocation/index/entries.js'
import { readToken, writeRevocation } from '../store/checked.js'
import type { Revocation } from '../store/store.js'
import type { LogPosition } from '../types.js'
import { type Aim, aimAt, aimAtRecord, entryOf, parseTarget, successorsEntry } from './aim.js'
import type { Core } from './core.js'
import type { RevokeReceipt } from './inputs.js'
import { corrected, isOff, reach } from './reach.js'
import {
  type RevokeSettings as Options,
  refuseSuccessorsOption,
  revokeSchema,
} from './revoke-options.js'

/**
 * Revokes. Once it resolves, this node rejects every covered token, and every other node does within `maxStaleness`.
 */
export async function revoke(
  core: Core,
  rawTarget: unknown,
  rawOptions: unknown,
): Promise<RevokeReceipt> {
  const options = parseInput(revokeSchema, rawOptions, 'options')
  const target = parseTarget(rawTarget)
  refuseSuccessorsOption(target, options)
  // Apart from reading the record, nothing is awaited before the index is updated: cached tokens are rejected in the
  // same tick.
  const aimed = aimAt(core, target, options.binding ?? '')
  const aim = aimed instanceof Promise ? await aimed : aimed
  const { kind, value } = aim
  const { actor, reason = null } = options
  const reached = reach(core, aim)
  const own = entriesOf(core, aim, options, reached)
  const known = own.filter((entry) => core.announcements.isKnown(entry))
  // Applied locally first, so this node rejects the token even if the feed is unavailable.
  for (const entry of own) core.index.apply(entry)
  const before = isOff(core) ? await corrected(core, reached) : reached
  const entries = before === reached ? own : entriesOf(core, aim, options, before)
  for (const entry of entries) core.index.apply(entry)
  const revocation = revocationOf(core, { aim, options, before, ended: entries.length > 1 })
  const unknown = entries.filter((entry) => !known.includes(entry))
  const event = core.trail.draft({ action: 'revoked', actor, target: kind, id: value, reason })
  const mark = () => record(core, revocation, event)
  const end = async () => entries.length > 1 || endSuccessors(core, aim, options)
  try {
    const published = await publish(core, { entries, unknown, options }).catch(
      async (uncertain: unknown) => {
        // The store is updated anyway, so the token cannot evade the revocation by rotation.
        await mark().catch(() => undefined)
        await end().catch(() => undefined)
        throw uncertain
      },
    )
    const matched = await markThen(mark, end).catch((error: unknown) => {
      throw notRecorded(error)
    })
    if (kind === 'key') await replaceKey(core, value)
    const { id, at } = revocation
    return Object.freeze({ id, kind, value, at, matched, ...published })
  } finally {
    // Also after a failure: this node rejects the token, and the log has the revocation or will have it.
    core.trail.written(event, false)
    core.probe.observer?.revoked(kind)
  }
}

/** Stores the revocation. The audit never holds it up: if it cannot be written with its row, it is written without. */
async function record(
  { store, callStore, trail }: Core,
  revocation: Revocation,
  event: AuditDraft,
): Promise<number> {
  const { rows } = event
  try {
    const matched = await callStore(() => writeRevocation(store, revocation, rows), 'revoke')
    if (rows !== undefined) trail.own.add(event.id)
    return matched
  } catch (error) {
    if (rows === undefined) throw error
    // The row may have been written: writing it again changes nothing.
    trail.keep(event)
    const again = callStore(() => writeRevocation(store, revocation), 'revoke')
    if (reasonOf(error) !== 'timeout') return await again
    // The caller has waited for the whole deadline. This attempt may still succeed.
    again.catch(() => undefined)
    throw error
  }
}

// The log has the revocation by then.
function notRecorded(error: unknown): unknown {
  if (!(error instanceof WatchwordError) || error.code !== 'ERR_STORE_UNAVAILABLE') return error
  const { message, detail, cause } = error
  return new WatchwordError(
    error.code,
    `${message}; the revocation is in effect on every node, but the store may have no record of it: call revoke again`,
    { cause, ...(detail === undefined ? {} : { detail }) },
  )
}

// Successors end even if the store fails: it may have committed the revocation.
async function markThen(mark: () => Promise<number>, end: () => Promise<unknown>): Promise<number> {
  try {
    return await mark()
  } finally {
    await end()
  }
}

interface RevocationParts {
  readonly aim: Aim
  readonly options: Options
  readonly before: number
  /** Whether the revocation of a token's successors is published. */
  readonly ended: boolean
}

function revocationOf(core: Core, { aim, options, before, ended }: RevocationParts): Revocation {
  const { kind, value, expiresAt, loose, descent } = aim
  const at = core.follower.time.stamp()
  const covers = options.successors === false ? undefined : descent
  // The store rejects successors by family; an existing successor is also covered by a rebuilt index.
  const end = ended && covers !== undefined ? Math.max(expiresAt + 1, covers.endsAt) : expiresAt
  return core.tagger.ofRevocation({
    id: core.newId(at),
    kind,
    value,
    before: kind === 'token' ? (loose ? 0 : expiresAt) : before,
    at,
    actor: options.actor,
    reason: options.reason ?? null,
    expiresAt: end,
    family: covers?.family ?? null,
    generation: covers === undefined ? null : covers.generation + 1,
  })
}

// A token that was never rotated takes one packed entry. Successors, if any may exist, take another.
function entriesOf(
  { index }: Core,
  aim: Aim,
  { successors, waitFor }: Options,
  before: number,
): readonly RevocationEntry[] {
  const entry = entryOf(aim, before)
  const { descent } = aim
  if (descent === undefined || successors === false) return [entry]
  const mayHaveSome = waitFor === 'all' || index.hasSuccessor(descent.family, descent.generation)
  return mayHaveSome ? [entry, successorsEntry(descent)] : [entry]
}

/**
 * Revokes the successors of a token, unless the store shows that there are none. A rotation that is in flight on another
 * node is either in the store by now, or is refused there.
 */
async function endSuccessors(core: Core, aim: Aim, options: Options): Promise<void> {
  if (aim.kind !== 'token' || options.successors === false) return
  const record = await core.callStore(() => readToken(core.store, aim.value)).catch(() => undefined)
  if (record !== undefined && record.successor === null) return
  const found = record === undefined ? aim : await aimAtRecord(core, record)
  const descent = aim.descent ?? found?.descent
  if (descent === undefined) return
  const entry = successorsEntry(descent)
  const known = core.announcements.isKnown(entry)
  core.index.apply(entry)
  if (!known) await core.announcements.announce(entry)
  const kept = { ...aim, ...found, descent }
  const parts = { aim: kept, options, before: reach(core, kept), ended: true }
  await core.callStore(() => writeRevocation(core.store, revocationOf(core, parts)), 'revoke')
}

type Published = Pick<RevokeReceipt, 'position' | 'nodes'>

interface Publication {
  readonly entries: readonly RevocationEntry[]
  /** Entries that the log may not have. */
  readonly unknown: readonly RevocationEntry[]
  readonly options: Options
}

async function publish(
  { announcements, follower, options }: Core,
  { entries, unknown, options: { waitFor, timeout } }: Publication,
): Promise<Published> {
  if (waitFor !== 'all') {
    const positions = await Promise.all(unknown.map((entry) => announcements.announce(entry)))
    return { position: placeOf(positions.at(-1) ?? follower.position) }
  }
  const timeoutMs = parseDuration(timeout) ?? options.maxStalenessMs + SECOND
  const { position, applied, pending } = await follower.rollCall(entries, timeoutMs)
  return { position: placeOf(position), nodes: Object.freeze({ applied, pending }) }
}

const placeOf = ({ epoch, seq }: Position): LogPosition => Object.freeze({ epoch, seq })

// Creates the next key immediately: otherwise the next request to issue would discover that its key is missing.
async function replaceKey(core: Core, keyId: string): Promise<void> {
  const audience = core.keyring.get(keyId)?.record.audience
  await core.keyring.refresh()
  if (audience !== undefined) await core.keyring.issuing(audience)
}
