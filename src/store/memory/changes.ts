/**
 * The order of the changes of the memory store.
 *
 * @module
 */
import type { RestrictionRecord } from '../restrictions.js'
import type { Changes, Revocation, TokenRecord } from '../store.js'
import type { RestrictionTable } from './restrictions.js'

/** The tables whose changes are numbered. */
export interface ChangingTables {
  readonly tokens: ReadonlyMap<string, TokenRecord>
  readonly revocations: ReadonlyMap<string, Revocation>
  readonly restrictions: Pick<RestrictionTable, 'at'>
  /**
   * The number of the last change of each revocation and token, by id, and of each register, by its key, in the order
   * of these changes.
   */
  readonly arrivals: Map<string, number>
  /** The number of the last change. */
  arrived: number
}

/** Numbers a change. The map keeps insertion order, so the latest change comes last. */
export function arrive(t: ChangingTables, id: string): void {
  t.arrivals.delete(id)
  t.arrivals.set(id, ++t.arrived)
}

/** Returns one page of changes. */
export function changes(t: ChangingTables, after: string | null, limit: number): Changes {
  const found: Found = { revocations: [], superseded: [], restrictions: [] }
  const page = (cursor: number, more: boolean) => ({ ...found, cursor: String(cursor), more })
  if (after === null) return page(t.arrived, false)
  // A cursor of another store starts from the beginning.
  const from = Number(after) <= t.arrived ? Number(after) : 0
  let last = from
  let count = 0
  for (const [id, number] of t.arrivals) {
    if (number <= from) continue
    if (count >= limit) return page(last, true)
    count += addTo(found, t, id)
    last = number
  }
  return page(t.arrived, false)
}

interface Found {
  readonly revocations: Revocation[]
  readonly superseded: TokenRecord[]
  readonly restrictions: RestrictionRecord[]
}

/** Adds the row with this id. Returns the number of added rows. */
function addTo(found: Found, t: ChangingTables, id: string): 0 | 1 {
  const revocation = t.revocations.get(id)
  const token = t.tokens.get(id)
  const restriction = t.restrictions.at(id)
  if (revocation !== undefined) found.revocations.push({ ...revocation })
  else if (token !== undefined) found.superseded.push({ ...token })
  else if (restriction !== undefined) found.restrictions.push(restriction)
  else return 0
  return 1
}
