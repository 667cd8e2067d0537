/**
 * Keeps the restrictions of the store and of the log the same: restores rows that were edited, deleted or set back, and
 * extends the entries of the log while their registers restrict something.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { HOUR } from '../lib/duration.js'
import { LIFTED } from '../policy/restriction.js'
import type { RestrictedEntry } from '../revocation/index/entries.js'
import { isLaterRevision } from '../revocation/index/entries.js'
import { entryOfRow, isSameRevision } from '../revocation/index/register-entry.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import { type CheckedRestriction, listRestrictions } from '../store/checked-restrictions.js'
import type { RestrictionStore, RestrictionTarget } from '../store/restrictions.js'
import { horizon } from './aim.js'
import type { Core } from './core.js'
import { changeRegister } from './register-write.js'

const PAGE = 500

/** The parts that keep restrictions. */
type Keeper = Core & {
  readonly follower: { publish(entries: readonly RestrictedEntry[]): Promise<unknown> }
}

/**
 * The share of the time until every existing token has expired after which an entry is extended. Nodes look four times as
 * often, so half of that time is always left.
 */
const EXTEND_SHARE = 0.25
const LOOK_SHARE = 0.125

/** Runs on every node, at least once every two hours. */
export class RestrictionKeeper {
  readonly #core: Keeper
  #dueAt = Number.NEGATIVE_INFINITY
  #isDone = false

  constructor(core: Keeper) {
    this.#core = core
  }

  /**
   * Compares the registers with the store if that is due. Resolves with whether the last comparison extended every entry
   * that is in force. Never rejects.
   *
   * @param now - A time on which several parties agree.
   * @param spread - A random number from 1 to 2, so that the nodes look at different times.
   */
  async run(now: number, spread: number): Promise<boolean> {
    const part = this.#core.store.restrictions
    if (part === undefined) return true
    if (now < this.#dueAt) return this.#isDone
    const leftMs = horizon(this.#core) - now
    this.#dueAt = now + Math.min(HOUR, leftMs * LOOK_SHARE) * spread
    try {
      await keepRestrictions(this.#core, part, now)
      this.#isDone = true
    } catch {
      // An outage only defers it to the next sweep.
      this.#dueAt = now
      this.#isDone = false
    }
    return this.#isDone
  }
}

async function keepRestrictions(core: Keeper, part: RestrictionStore, now: number): Promise<void> {
  const unseen = new Map<string, RestrictedEntry>()
  for (const entry of core.index.registers.entries())
    unseen.set(keyOf({ kind: entry.target, value: entry.value }), entry)
  const broken: RestrictionTarget[] = []
  const extended: RestrictedEntry[] = []
  let after: RestrictionTarget | undefined
  for (;;) {
    const page = { limit: PAGE, ...(after === undefined ? {} : { after }) }
    const rows = await core.callStore(() => listRestrictions(part, page))
    for (const row of rows) {
      unseen.delete(keyOf(row.target))
      const found = (await later(core, row, now)) ?? compare(core, row, now)
      if (found === 'broken') broken.push(row.target)
      else if (found !== undefined) extended.push(found)
    }
    if (rows.length < PAGE) break
    after = rows.at(-1)?.target
  }
  for (const { target: kind, value, expiresAt } of unseen.values()) {
    // The store purges a row after its end, and only then.
    if (expiresAt > now || core.index.registers.outlastsEntry({ kind, value }, now))
      broken.push({ kind, value })
  }
  if (extended.length > 0) await core.follower.publish(extended)
  await repairEach(core, broken)
}

/** A row that cannot be repaired holds up no other one. Rejects with any other error after the last row. */
async function repairEach(core: Keeper, targets: readonly RestrictionTarget[]): Promise<void> {
  const failures: unknown[] = []
  for (const target of targets) {
    try {
      await repair(core, target)
    } catch (error) {
      // A retry does not help: an operator has to restore the row.
      const isLasting = error instanceof WatchwordError && error.code === 'ERR_STORE_CORRUPT'
      if (!isLasting) failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

// No kind has a space.
const keyOf = ({ kind, value }: RestrictionTarget): string => `${kind} ${value}`

/**
 * The entry of a row that this node does not have yet, if an authority wrote it: the response of the store may have been
 * lost. This node applies it.
 */
async function later(
  core: Keeper,
  { target, record }: CheckedRestriction,
  now: number,
): Promise<RestrictedEntry | undefined> {
  if (record === undefined) return undefined
  const entry = entryOfRow(record, horizon(core))
  const known = core.index.registers.get(target)
  if (known !== undefined && !isLaterRevision(entry, known)) return undefined
  if (entry.expiresAt <= now) return undefined
  const integrity = await core.tagger.checkRestriction(record)
  // After a downtime the key of a row may be gone, and its event with it. A revision that the log has needs a proof.
  if (integrity !== 'intact' && !(integrity === 'unknown' && known === undefined)) return undefined
  core.index.apply(entry)
  return entry
}

/** What is to be done about a row: `broken` if it may have to be written, an entry to publish, or nothing. */
function compare(
  core: Keeper,
  { target, record }: CheckedRestriction,
  now: number,
): 'broken' | RestrictedEntry | undefined {
  const known = core.index.registers.get(target)
  if (record === undefined) return known === undefined ? undefined : 'broken'
  if (known === undefined) return undefined
  if (!isSameRevision(record, known)) return 'broken'
  const entry = entryOfRow(record, horizon(core))
  const gained = entry.expiresAt - known.expiresAt
  const isDue = record.state !== LIFTED && gained >= (entry.expiresAt - now) * EXTEND_SHARE
  return isDue && gained > 0 ? entry : undefined
}

/** Writes what the log proves, if the store has something else. */
async function repair(core: Keeper, target: RestrictionTarget): Promise<void> {
  const written = await changeRegister(core, {
    ...{ target, descent: null, endsAt: MAX_TIME, horizon: horizon(core) },
    ...{ actor: 'system', reason: 'restored from the log', event: undefined },
    next: ({ isBroken, state }) => (isBroken ? state : undefined),
  })
  if (written !== undefined) await core.follower.publish([written])
}
