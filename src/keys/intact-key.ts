/**
 * Opens stored keys and checks their rows.
 *
 * @module
 */
import type { KeyRecord } from '../store/store.js'
import { destroyKey, type LocalKey } from '../token/paserk.js'
import { isKeyIntact } from './record-tags.js'
import { openKey, type RootKey } from './root-key.js'

/** An opened stored key, or why it is not used. */
export type OpenedKey = LocalKey | 'unreadable' | 'tampered'

/**
 * Opens a stored key and checks its row. Resolves with `tampered` if the times, the audience or the generation of the
 * row do not match its integrity tag. Rejects like {@link openKey}.
 */
export async function openIntactKey(
  record: KeyRecord,
  roots: readonly RootKey[],
): Promise<OpenedKey> {
  const key = await openKey(record, roots)
  if (key === undefined) return 'unreadable'
  if (isKeyIntact(key, record)) return key
  destroyKey(key)
  return 'tampered'
}
