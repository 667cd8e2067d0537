/**
 * Proves that a root key belongs to a store: it opens the stored keys.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { quote } from '../lib/quote.js'
import { warnOnce } from '../lib/warn.js'
import type { KeyRecord } from '../store/store.js'
import { destroyKey } from '../token/paserk.js'
import { isDiscarded } from './discarded.js'
import { openKey, type RootKey } from './root-key.js'

/**
 * Checks that these root keys open the stored keys before a key is written for an audience without one: every active
 * key, or every remaining key if none is active. Rejects with `ERR_ROOT_KEY`.
 */
export async function proveRoots(
  stored: readonly KeyRecord[],
  roots: readonly RootKey[],
  now: number,
): Promise<void> {
  const kept = stored.filter((record) => !isDiscarded(record))
  const inUse = kept.filter(({ expiresAt, revokedAt }) => now < expiresAt && revokedAt === null)
  for (const record of inUse.length > 0 ? inUse : kept) {
    if (!(await opens(record, roots))) throw wrongRoot(record, roots)
  }
}

/**
 * Warns if the current root key has wrapped none of the stored keys and another root key opens them: either a root key
 * replacement has begun, or the root key is mistyped.
 */
export function warnOfNewRoot(
  stored: readonly KeyRecord[],
  [root, ...previous]: readonly RootKey[],
): void {
  const kept = stored.filter((record) => !isDiscarded(record))
  if (root === undefined || previous.length === 0 || kept.length === 0) return
  if (kept.some(({ wrappedBy }) => wrappedBy === root.id)) return
  warnOnce(
    'WATCHWORD_ROOT_KEY',
    `rootKey: ${idText(root.id)} has wrapped none of the ${kept.length} stored keys, but wraps every key from now on (previousRootKeys: ${previous.map(({ id }) => idText(id)).join(', ')}). If it replaces a root key, call keys.rewrap(); otherwise it is the wrong key, and nodes without it cannot unwrap new keys`,
  )
}

/** Whether one of the root keys opens the key. Rejects with `ERR_ROOT_KEY` if a wrapper fails. */
export async function opens(record: KeyRecord, roots: readonly RootKey[]): Promise<boolean> {
  const key = await openKey(record, roots)
  if (key === undefined) return false
  destroyKey(key)
  return true
}

/** The error for a stored key that none of the root keys opens. */
export function wrongRoot(
  { id, audience, wrappedBy }: KeyRecord,
  roots: readonly RootKey[],
): WatchwordError<'ERR_ROOT_KEY'> {
  const [current, ...previous] = roots.map((root) => idText(root.id))
  const wrapper = idText(wrappedBy)
  const given = `rootKey is ${current}, previousRootKeys: ${previous.join(', ') || 'none'}`
  const known = roots.some((root) => root.id === wrappedBy)
  const cause = known
    ? `is not the key that root key ${wrapper} wrapped: its row was changed`
    : `was wrapped by root key ${wrapper}, which is not configured (${given})`
  const fix = known
    ? 'Restore the row from a backup'
    : `Pass root key ${wrapper} as rootKey, or add it to previousRootKeys while it is being replaced`
  return new WatchwordError(
    'ERR_ROOT_KEY',
    `rootKey: key ${id} of audience ${quote(audience)} ${cause}. ${fix}; if it is lost, discard the key with discardKey()`,
    { detail: `key ${id}` },
  )
}

// The id of a key is public; the id of a wrapper is text from the caller.
function idText(id: string): string {
  return /^k4\.lid\.[\w-]{44}$/.test(id) ? id : quote(id)
}
