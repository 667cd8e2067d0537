/**
 * Reads restrictions from the store, with the same care as revocations: a row that no authority wrote never widens what
 * the log proves.
 *
 * @module
 */
import { FROZEN, SUSPENDED, writeState } from '../../policy/restriction.js'
import { corruptRow } from '../../store/checked.js'
import { listRestrictions } from '../../store/checked-restrictions.js'
import type { RestrictionRecord, RestrictionTarget } from '../../store/restrictions.js'
import type { Store } from '../../store/store.js'
import { isLaterRevision, type RestrictedEntry } from '../index/entries.js'
import { entryOfRow, isSameRevision } from '../index/register-entry.js'
import type { RevocationIndex } from '../index/revocation-index.js'
import { isWritable } from '../log/encode-event.js'
import { indexFull } from '../log/unavailable.js'

const PAGE = 1000
const ROWS_A_TURN = 50

/** The source and target of the registers. */
export interface RestrictionReading {
  readonly store: Pick<Store, 'restrictions'>
  readonly index: RevocationIndex
  readonly call: <T>(call: () => Promise<T>) => Promise<T>
  /** Checks rows and reports edited ones. Default: no check. */
  readonly inspect?:
    | {
        /** Resolves with whether the row is intact; `unknown` if its key is gone. */
        restriction(row: RestrictionRecord): Promise<'intact' | 'tampered' | 'unknown'>
      }
    | undefined
  /** What the node already knows. Default: the index. */
  readonly known?: RevocationIndex | undefined
  /** A time by which every existing token has expired, in Unix milliseconds. */
  readonly horizon: () => number
}

/** Loads every register. Rejects if the store fails or a row does not parse. */
export async function backfillRestrictions(options: RestrictionReading): Promise<void> {
  const part = options.store.restrictions
  if (part === undefined) return
  let after: RestrictionTarget | undefined
  for (;;) {
    const page = { limit: PAGE, ...(after === undefined ? {} : { after }) }
    const rows = await options.call(() => listRestrictions(part, page))
    for (const [at, { id, record }] of rows.entries()) {
      if (record === undefined) throw corruptRow('restriction', id)
      await takeRestriction(options, record)
      // Yields to requests, since checking a tag takes a while.
      if (at % ROWS_A_TURN === ROWS_A_TURN - 1)
        await new Promise((resolve) => setImmediate(resolve))
    }
    if (rows.length < PAGE) return
    after = rows.at(-1)?.target
  }
}

/** Loads one register, unless the node has the same or a later revision. */
export async function takeRestriction(
  { index, inspect, known = index, horizon }: RestrictionReading,
  row: RestrictionRecord,
): Promise<void> {
  const entry = entryOfRow(row, horizon())
  const held = known.registers.get(row)
  if (held !== undefined && !isLaterRevision(entry, held)) {
    // The log proves the revision. Its entry may have expired while no node was running to extend it.
    if (isSameRevision(row, held) && !known.covers(entry)) apply(index, entry)
    return
  }
  const integrity = (await inspect?.restriction(row)) ?? 'intact'
  const isTrusted = integrity === 'intact' || (integrity === 'unknown' && held === undefined)
  if (isTrusted && isWritable(entry)) return apply(index, entry)
  // What an edited row restricted is lost, so its target is suspended unless the log has the register. The lowest
  // revision, so that every later one replaces it.
  if (held !== undefined) return
  const state = writeState(row.kind === 'freeze' ? FROZEN : SUSPENDED)
  const closed = { ...entry, descent: null, revision: 1, state, expiresAt: horizon() }
  if (isWritable(closed)) apply(index, closed)
}

function apply(index: RevocationIndex, entry: RestrictedEntry): void {
  if (!index.apply(entry)) throw indexFull()
}
