/**
 * The mark of a key that was discarded.
 *
 * @module
 */
import type { KeyRecord } from '../store/store.js'

/** What a discarded key has in place of its wrapping and of the id of its root key. */
export const DISCARDED = 'discarded'

/** Whether the key was discarded: no root key opens it any more, and none has to. */
export function isDiscarded({ wrappedBy }: KeyRecord): boolean {
  return wrappedBy === DISCARDED
}

/** Whether no token of the key is accepted any more, so that nothing depends on opening it. */
export function isOver(record: KeyRecord): boolean {
  return record.revokedAt !== null || isDiscarded(record)
}
