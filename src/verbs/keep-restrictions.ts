/**
 * Keeps the restrictions of the store and of the log the same: restores rows that were edited, deleted or set back, and
 * extends the entries of the log while their registers restrict something.
 *
 * @module
 */
import { DAY } from '../lib/duration.js'
import { LIFTED } from '../policy/restriction.js'
import type { RestrictedEntry } from '../revocation/index/entries.js'
import { targetOf } from '../revocation/index/entries.js'
import { entryOfRow, isSameRevision } from '../revocation/index/register-entry.js'
import { MAX_TIME } from '../revocation/log/event-layout.js'
import { type CheckedRestriction, listRestrictions } from '../store/checked-restrictions.js'
import type { RestrictionTarget } from '../store/restrictions.js'
import { horizon } from './aim.js'
import type { Core } from './core.js'
import { changeRegister } from './register-write.js'

const PAGE = 500

/** The parts that keep restrictions. */
type Keeper = Core & {
  readonly follower: { publish(entries: readonly RestrictedEntry[]): Promise<unknown> }
}

/** Compares every register with the store. Rejects like the store and the feed; safe to repeat. */
export async function keepRestrictions(core: Keeper): Promise<void> {
  const part = core.store.restrictions
  if (part === undefined) return
  const unseen = new Map<string, RestrictedEntry>()
  for (const entry of core.index.registers.entries()) unseen.set(targetOf(entry), entry)
  const broken: RestrictionTarget[] = []
  const extended: RestrictedEntry[] = []
  let after: RestrictionTarget | undefined
  for (;;) {
    const page = { limit: PAGE, ...(after === undefined ? {} : { after }) }
    const rows = await core.callStore(() => listRestrictions(part, page))
    for (const row of rows) {
      unseen.delete(targetOf({ kind: 'restricted', ...named(row.target) } as RestrictedEntry))
      const found = compare(core, row)
      if (found === 'broken') broken.push(row.target)
      else if (found !== undefined) extended.push(found)
    }
    if (rows.length < PAGE) break
    after = rows.at(-1)?.target
  }
  const now = core.follower.time.stamp()
  for (const { target, value, expiresAt } of unseen.values())
    if (expiresAt > now) broken.push({ kind: target, value })
  if (extended.length > 0) await core.follower.publish(extended)
  for (const target of broken) await repair(core, target)
}

const named = ({ kind: target, value }: RestrictionTarget) => ({ target, value })

/** What is to be done about a row: `broken` if it may have to be written, an entry to publish, or nothing. */
function compare(
  core: Keeper,
  { target, record }: CheckedRestriction,
): 'broken' | RestrictedEntry | undefined {
  const known = core.index.registers.get(target)
  if (record === undefined) return known === undefined ? undefined : 'broken'
  // The reconciler checks and applies registers that this node does not have.
  if (known === undefined) return undefined
  if (!isSameRevision(record, known)) return 'broken'
  const entry = entryOfRow(record, horizon(core))
  const isDue = record.state !== LIFTED && entry.expiresAt - known.expiresAt >= DAY
  return isDue ? entry : undefined
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
