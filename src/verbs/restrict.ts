/**
 * Restrictions, which unlike revocations can be lifted: stored first, so that every change has its place in an order,
 * then applied to this node and published to every node through the feed.
 *
 * @module
 */
import { parseDuration, SECOND } from '../lib/duration.js'
import { invalidArgument } from '../lib/invalid.js'
import { parseInput } from '../lib/schema.js'
import type { AuditContent } from '../observe/audit/trail.js'
import type { RestrictionState, ScopeLimit, Term } from '../policy/limits.js'
import { normalisePatterns } from '../policy/restriction.js'
import { normaliseScopes } from '../policy/scopes.js'
import type { RestrictedEntry } from '../revocation/index/entries.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import type { LogPosition } from '../types.js'
import { horizon } from './aim.js'
import type { Core } from './core.js'
import type { Base } from './register-base.js'
import { changeRegister, restrictionsOf } from './register-write.js'
import { FREEZE, parseRestrictTarget, type RestrictionAim, restrictionAim } from './restrict-aim.js'
import type { RestrictReceipt, UnfreezeOptions } from './restrict-inputs.js'
import {
  freezeSchema,
  frozenSchema,
  restoreSchema,
  restrictSchema,
  suspendSchema,
  unfreezeSchema,
} from './restrict-options.js'

/** Suspends every token of the target. */
export async function suspend(core: Core, raw: unknown, given: unknown): Promise<RestrictReceipt> {
  const options = parseInput(suspendSchema, given, 'options')
  const aim = await aimOf(core, raw, options.binding)
  const suspended = termOf(core, options.for)
  return change(core, aim, options, {
    action: 'token.suspended',
    until: suspended.until,
    next: ({ state }) => ({ ...state, suspended }),
  })
}

/** Limits the scopes of every token of the target. */
export async function restrict(core: Core, raw: unknown, given: unknown): Promise<RestrictReceipt> {
  const options = parseInput(restrictSchema, given, 'options')
  const { to, deny, mode } = options
  if (to === undefined && deny === undefined)
    throw invalidArgument('options', 'expected at least one of to and deny')
  const aim = await aimOf(core, raw, options.binding)
  const { until } = termOf(core, options.for)
  const lists = {
    ...(to === undefined ? {} : { to: normaliseScopes(to) }),
    ...(deny === undefined ? {} : { deny: normalisePatterns(deny) }),
  }
  const limit: ScopeLimit = { ...lists, until }
  return change(core, aim, options, {
    action: 'token.restricted',
    until,
    about: { ...lists, ...(mode === 'report' ? { mode } : {}) },
    next: ({ state: { reported: _, ...state } }) =>
      mode === 'report' ? { ...state, reported: limit } : { ...state, enforced: limit },
  })
}

/** Lifts the suspension and the restrictions of the target. */
export async function restore(core: Core, raw: unknown, given: unknown): Promise<RestrictReceipt> {
  const options = parseInput(restoreSchema, given, 'options')
  const aim = await aimOf(core, raw, options.binding)
  return change(core, aim, options, { action: 'token.restored', until: null, next: lift })
}

/** Stops issue or rotation on every node. */
export async function freeze(core: Core, raw: unknown, given: unknown): Promise<RestrictReceipt> {
  const options = parseInput(freezeSchema, given, 'options')
  const { issue = false, rotate = false } = parseInput(frozenSchema, raw, 'what')
  if (!issue && !rotate)
    throw invalidArgument('what', 'expected at least one of issue and rotate to be true')
  const term = termOf(core, options.for)
  const parts = { ...(issue ? { issue: term } : {}), ...(rotate ? { rotate: term } : {}) }
  return change(core, FREEZE, options, {
    action: 'frozen',
    until: term.until,
    about: { operation: Object.keys(parts).join(', ') },
    next: ({ state }) => ({ ...state, ...parts }),
  })
}

/** Permits issue and rotation again. */
export async function unfreeze(core: Core, given: unknown): Promise<RestrictReceipt> {
  const options = parseInput(unfreezeSchema, given, 'options')
  return change(core, FREEZE, options, { action: 'unfrozen', until: null, next: lift })
}

// Nothing is written if there is nothing to lift.
const lift = ({ revision }: Base): RestrictionState | undefined => (revision === 0 ? undefined : {})

function aimOf(core: Core, raw: unknown, binding = ''): Promise<RestrictionAim> {
  restrictionsOf(core)
  return restrictionAim(core, parseRestrictTarget(raw), binding)
}

function termOf({ follower }: Core, duration: string | number | undefined): Term {
  const ms = parseDuration(duration)
  return { until: ms === undefined ? null : Math.min(follower.time.stamp() + ms, MAX_TIME) }
}

interface Change {
  readonly action: AuditContent['action']
  readonly until: number | null
  /** More of the event of the audit. */
  readonly about?: Partial<AuditContent>
  next(base: Base): RestrictionState | undefined
}

async function change(
  core: Core,
  { target, descent, endsAt }: RestrictionAim,
  options: UnfreezeOptions,
  { action, until, about, next }: Change,
): Promise<RestrictReceipt> {
  const { actor, reason = null } = options
  const { kind, value } = target
  const named = kind === 'freeze' ? {} : { target: kind, id: value }
  const ends = until === null ? {} : { until }
  const event = { action, actor, ...named, reason, ...ends, ...about }
  const changed = await changeRegister(core, {
    ...{ target, descent, endsAt, horizon: horizon(core), actor, reason, next, event },
  })
  if (changed === undefined) {
    const position = placeOf(core.follower.position)
    return Object.freeze({ kind, value, revision: 0, until: null, position })
  }
  core.probe.observer?.restricted(action, kind)
  const published = await publish(core, changed, options)
  return Object.freeze({ kind, value, revision: changed.revision, until, ...published })
}

async function publish(
  { announcements, follower, options }: Core,
  entry: RestrictedEntry,
  { waitFor, timeout }: UnfreezeOptions,
): Promise<Pick<RestrictReceipt, 'position' | 'nodes'>> {
  if (waitFor !== 'all') return { position: placeOf(await announcements.announce(entry)) }
  const timeoutMs = parseDuration(timeout) ?? options.maxStalenessMs + SECOND
  const { position, applied, pending } = await follower.rollCall([entry], timeoutMs)
  return { position: placeOf(position), nodes: Object.freeze({ applied, pending }) }
}

const placeOf = ({ epoch, seq }: LogPosition): LogPosition => Object.freeze({ epoch, seq })
