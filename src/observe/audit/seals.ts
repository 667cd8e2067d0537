/**
 * The seals of the audit, as its other parts use them, and the check of one row.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import type { AuditRow } from '../../store/audit.js'
import { agrees, agreesWith, eventOf } from './event.js'

/** The largest size of a tree that seals have room for. */
export const MAX_SIZE = 2 ** 48 - 1

/** Why a seal was not opened: made without the keys of the authority, or with a key that cannot be loaded any more. */
export type Unsealed = 'tampered' | 'unknown'

/** What the place of a row starts with if its leaf covers its time. Earlier versions wrote places without it. */
export const TIMED = '2.'

/** Whether the leaf of a row with this place covers its time. */
export const isTimed = (place: string): boolean => place.startsWith(TIMED)

/** What the place of a row contains. */
export interface AuditPlace {
  readonly index: number
  /** When the row was written. */
  readonly at: number
  /** The hash of the body, in hexadecimal; the leaf hash if an earlier version sealed the place. */
  readonly hash: string
  /** A hash of its tag, in hexadecimal. */
  readonly tagHash: string
  /** The number of rows of the tree whose leaves cover no time; `undefined` if an earlier version sealed the place. */
  readonly untimed?: number
}

/** What the state of the tree contains: its compact range. */
export interface AuditState {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
  /** The number of rows whose leaves cover no time; `undefined` if an earlier version sealed the state. */
  readonly untimed?: number
}

/** The seals of the audit, see `keys/audit-tagger.ts`. */
export interface AuditSeals {
  /**
   * Loads the keys of these seals. Resolves with whether the keys that are missing then are lost, and not only out of
   * reach. Never rejects.
   */
  load(seals: readonly string[]): Promise<boolean>
  check(id: string, body: string, tag: string): 'intact' | Unsealed
  place(id: string, place: Required<AuditPlace>): string | undefined
  openPlace(id: string, place: string): AuditPlace | Unsealed
  tagHash(tag: string): string
  state(range: Required<AuditState>): string | undefined
  openState(state: string): AuditState | Unsealed
}

/** Loads the keys of these seals. Rejects with `ERR_STORE_UNAVAILABLE` if one that is missing is not known to be lost. */
export async function loadAll(
  seals: Pick<AuditSeals, 'load'>,
  texts: readonly string[],
): Promise<void> {
  if (!(await seals.load(texts))) throw keysOutOfReach()
}

/** The error of a verification that cannot open a seal, because its key cannot be read now. */
export function keysOutOfReach(): WatchwordError<'ERR_STORE_UNAVAILABLE'> {
  return new WatchwordError(
    'ERR_STORE_UNAVAILABLE',
    'the keys of the audit could not be read or opened, so nothing is proved; see health(), and verify again once it is healthy',
  )
}

/** Whether the authority wrote this row as it is. */
export function checkRow(seals: Pick<AuditSeals, 'check'>, row: AuditRow): 'intact' | Unsealed {
  const { id, body, tag } = row
  const checked = seals.check(id, body, tag)
  // Only an intact tag shows that the body is canonical.
  if (checked === 'intact') return agreesWith(row, body) ? 'intact' : 'tampered'
  const event = eventOf(id, body)
  return event === undefined || !agrees(row, event) ? 'tampered' : checked
}
