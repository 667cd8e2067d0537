/**
 * The rows of an hour that changed, in batches for one call of the store each.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import type { UsageRow } from '../../store/usage.js'
import type { Counted } from './counted.js'
import type { Hour } from './hour.js'

/**
 * The rows of one call, counted together with their scopes, codes and callers. Small: what encodes them holds the event
 * loop, and SQLite writes them without yielding.
 */
const BATCH = 1000
/** Places to look at before other work of the process gets its turn: far less than a millisecond. */
const STRIDE = 4000

/** Takes the rows that changed since they were last taken. `isCurrent`: whether the hour still receives uses. */
export async function* changedRows(
  hour: Hour,
  isCurrent: boolean,
  clock: Pick<ResolvedClock, 'judged'>,
): AsyncGenerator<readonly UsageRow[], void> {
  let rows: UsageRow[] = []
  let weight = 0
  let seen = 0
  for (const [id, slot] of hour.slots) {
    const token = hour.openAt(slot)
    if (token !== undefined) settle(hour, token, isCurrent, clock.judged())
    if (hour.isChanged(slot)) {
      const row = hour.take(id, slot)
      rows.push(row)
      weight += weightOf(row)
    }
    if (weight >= BATCH) {
      yield rows
      rows = []
      weight = 0
    }
    if (++seen % STRIDE === 0) await turn()
  }
  if (rows.length > 0) yield rows
}

/** Collects the uses of a cached token. One that was not used since the last time is reported again on its next use. */
function settle(hour: Hour, token: Counted, isCurrent: boolean, now: number): void {
  if (token.uses > 0 && isCurrent) hour.collect(token, now)
  else hour.close(token, now)
}

function weightOf({ scopes, callers, refused }: UsageRow): number {
  return 1 + scopes.length + callers.length + Object.keys(refused).length
}

/** Lets other work of the process run. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
