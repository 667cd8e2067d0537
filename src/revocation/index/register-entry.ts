/**
 * Stored registers of restrictions as entries of the log.
 *
 * @module
 */
import type { RestrictionRecord } from '../../store/restrictions.js'
import type { RestrictedEntry } from './entries.js'

/**
 * The entry of a register.
 *
 * @param horizon - A time by which every existing token has expired. An event that lasted longer could not be read when
 * its key is gone.
 */
export function entryOfRow(row: RestrictionRecord, horizon: number): RestrictedEntry {
  const { kind: target, value, family, generation, revision, state } = row
  const descent = family === null || generation === null ? null : { family, generation }
  const expiresAt = Math.min(row.expiresAt, horizon)
  return { kind: 'restricted', target, value, descent, revision, state, expiresAt }
}

/** Whether the row and the entry are the same revision of one register. */
export function isSameRevision(row: RestrictionRecord, entry: RestrictedEntry): boolean {
  const { descent } = entryOfRow(row, 0)
  return (
    row.revision === entry.revision &&
    row.state === entry.state &&
    descent?.family === entry.descent?.family &&
    descent?.generation === entry.descent?.generation
  )
}
