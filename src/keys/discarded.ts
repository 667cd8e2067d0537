/**
 * The marker of a discarded key.
 *
 * @module
 */
import type { KeyRecord } from '../store/store.js'

/** Replaces the wrapping and the root key id of a discarded key. */
export const DISCARDED = 'discarded'

/** Whether the key was discarded, so no root key can unwrap it. */
export function isDiscarded({ wrappedBy }: KeyRecord): boolean {
  return wrappedBy === DISCARDED
}

/** Whether no token of the key is accepted, so it need not be opened. */
export function isOver(record: KeyRecord): boolean {
  return record.revokedAt !== null || isDiscarded(record)
}
