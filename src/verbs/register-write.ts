/**
 * Writes the next revision of a register: by compare-and-set to the store, then to this node's index.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { reasonOf } from '../lib/failure-reason.js'
import { invalidArgument } from '../lib/invalid.js'
import type { AuditContent, AuditDraft } from '../observe/audit/trail.js'
import { endOfState, type RestrictionState } from '../policy/limits.js'
import { MAX_STATE_LENGTH, writeState } from '../policy/restriction.js'
import type { RestrictedDescent, RestrictedEntry } from '../revocation/index/entries.js'
import { entryOfRow } from '../revocation/index/register-entry.js'
import { MAX_REVISION } from '../revocation/log/event-layout.js'
import { readRestriction, writeRestriction } from '../store/checked-restrictions.js'
import { restrictionName } from '../store/restriction-schema.js'
import type {
  RestrictionRecord,
  RestrictionStore,
  RestrictionTarget,
  RestrictionWrite,
} from '../store/restrictions.js'
import type { Core } from './core.js'
import { type Base, baseOf } from './register-base.js'

/** Enough for every process that changes the same register at that time. */
const MAX_RACES = 20
/** Rows that were deleted or set back are restored one revision at a time. */
const MAX_STEPS = 1000

/** A change of one register. */
export interface RegisterChange {
  readonly target: RestrictionTarget
  /** The position of a token in its family, if known. */
  readonly descent: RestrictedDescent | null
  /** When the last token that the target can cover has expired; `MAX_TIME` if there is no such time. */
  readonly endsAt: number
  /** A time by which every existing token has expired. */
  readonly horizon: number
  readonly actor: string
  readonly reason: string | null
  /** The next state; `undefined` to write nothing. May be called again, with a later state. */
  next(base: Base): RestrictionState | undefined
  /** The event of the change; `undefined` for a repair. */
  readonly event: AuditContent | undefined
}

/** The part of the store. Throws `ERR_RESTRICTIONS_NOT_KEPT`. */
export function restrictionsOf({ store }: Pick<Core, 'store'>): RestrictionStore {
  if (store.restrictions !== undefined) return store.restrictions
  throw new WatchwordError(
    'ERR_RESTRICTIONS_NOT_KEPT',
    `the store "${store.name}" keeps no restrictions; use a store that has the part \`restrictions\`, such as memoryStore(), or revoke`,
  )
}

/**
 * Changes a register. Resolves with its new entry, which this node has applied, or with `undefined` if nothing was to be
 * written. Rejects with `ERR_STORE_UNAVAILABLE`, `ERR_STORE_CORRUPT`, `ERR_STORE_SCHEMA`, `ERR_REVOCATIONS_FULL` or
 * `ERR_RESTRICTIONS_NOT_KEPT`.
 */
export async function changeRegister(
  core: Core,
  change: RegisterChange,
): Promise<RestrictedEntry | undefined> {
  const part = restrictionsOf(core)
  const { target } = change
  if (!core.index.admitsRestriction(target)) throw full(core)
  let row = await core.callStore(() => readRestriction(part, target))
  for (let races = 0; races < MAX_RACES; races++) {
    const base = await baseOf(core, target, row)
    const state = change.next(base)
    if (state === undefined) return undefined
    const raised = await raise(core, part, change, { base, row })
    if (raised.outcome === 'written') {
      const next = rowOf(core, change, { base, revision: raised.revision, state })
      const draft = change.event && core.trail.draft(change.event)
      const result = await write(core, part, next, draft)
      if (result.outcome === 'written') return applied(core, next, change.horizon)
      row = result.current
    } else row = raised.current
  }
  throw contended(target)
}

/**
 * Restores a row that was deleted or set back, one revision at a time, so that the next one is higher than every revision
 * that the log has. Returns that next one.
 */
async function raise(
  core: Core,
  part: RestrictionStore,
  change: RegisterChange,
  { base, row }: { readonly base: Base; readonly row: RestrictionRecord | undefined },
): Promise<
  | { readonly outcome: 'written'; readonly revision: number }
  | Extract<RestrictionWrite, { readonly outcome: 'changed' }>
> {
  let revision = (row?.revision ?? 0) + 1
  for (const least = base.revision + 1; revision < least; revision++) {
    if (least - revision > MAX_STEPS) throw corrupt(change.target)
    const next = rowOf(core, change, { base, revision, state: base.state })
    const result = await write(core, part, next, undefined)
    if (result.outcome === 'changed') return result
  }
  return { outcome: 'written', revision }
}

function applied(core: Core, row: RestrictionRecord, horizon: number): RestrictedEntry {
  const known = core.index.registers.get(row)?.expiresAt ?? 0
  const entry = entryOfRow(row, Math.max(horizon, known))
  core.index.apply(entry)
  return entry
}

interface Revision {
  readonly base: Base
  readonly revision: number
  readonly state: RestrictionState
}

function rowOf(core: Core, change: RegisterChange, next: Revision): RestrictionRecord {
  const { target, horizon, endsAt, actor, reason } = change
  const { base, revision, state } = next
  if (revision > MAX_REVISION) throw corrupt(target)
  const descent = change.descent ?? base.descent
  const known = core.index.registers.get(target)?.expiresAt ?? 0
  // Earlier revisions are in the log until then.
  const least = Math.max(known, Math.min(horizon, endsAt))
  return core.tagger.ofRestriction({
    ...target,
    revision,
    state: textOf(state),
    family: descent?.family ?? null,
    generation: descent?.generation ?? null,
    at: core.follower.time.stamp(),
    actor,
    reason,
    expiresAt: Math.max(least, Math.min(endsAt, endOfState(state) + MAX_SKEW_MS)),
  })
}

function textOf(state: RestrictionState): string {
  const text = writeState(state)
  if (text.length <= MAX_STATE_LENGTH) return text
  throw invalidArgument(
    'options',
    `expected scopes of at most ${MAX_STATE_LENGTH} characters in all, together with those of the restriction with the other mode`,
  )
}

/** The audit never holds it up: if it cannot be written with its row, it is written without. */
async function write(
  { callStore, trail }: Core,
  part: RestrictionStore,
  next: RestrictionRecord,
  draft: AuditDraft | undefined,
): Promise<RestrictionWrite> {
  const rows = draft?.rows
  let isKept = true
  const result = await callStore(() => writeRestriction(part, next, rows), 'restrict').catch(
    async (error: unknown) => {
      if (rows === undefined || reasonOf(error) === 'timeout') throw error
      isKept = false
      // If the first call was written after all, this one changes nothing.
      return callStore(() => writeRestriction(part, next), 'restrict')
    },
  )
  if (draft === undefined || result.outcome !== 'written') return result
  if (!isKept) trail.keep(draft)
  trail.written(draft, isKept)
  return result
}

function full({ options }: Core): WatchwordError {
  return new WatchwordError(
    'ERR_REVOCATIONS_FULL',
    `this node has almost maxRevocations (${options.maxRevocations}) revocations and reserves the rest for revocations; raise maxRevocations, or revoke`,
  )
}

function corrupt(target: RestrictionTarget): WatchwordError {
  return new WatchwordError(
    'ERR_STORE_CORRUPT',
    'the revision of the stored row is not one that an authority wrote next; restore the row from a backup',
    { detail: `restriction ${restrictionName(target)}` },
  )
}

function contended(target: RestrictionTarget): WatchwordError {
  return new WatchwordError(
    'ERR_STORE_UNAVAILABLE',
    'the restriction was changed by other processes at every attempt; try again',
    { detail: `restriction ${restrictionName(target)}` },
  )
}
