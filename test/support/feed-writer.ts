/**
 * A writer to a log that is not a node of the fleet: with its keys, or with other keys.
 *
 * @module
 */
import type { SealedEvent } from 'watchword/feed'
import { openKey, resolveRootKey } from '../../src/keys/root-key.js'
import { expiryOf, type FeedEntry } from '../../src/revocation/index/entries.js'
import { encodeEntries } from '../../src/revocation/log/encode-event.js'
import { type SealHeader, type SealKeys, seal, ZERO_LINK } from '../../src/revocation/log/seal.js'
import { deriveKey, generateKey, keyId, type LocalKey } from '../../src/token/paserk.js'
import type { Fleet } from './fleet.js'

/** The keys of the seals of a fleet's feed. */
export async function sealKeysOf({ store, rootKey }: Fleet): Promise<SealKeys> {
  const root = resolveRootKey(rootKey)
  const keys = new Map<string, LocalKey>()
  for (const record of await store.listKeys()) {
    const key = await openKey(record, [root])
    if (key !== undefined) keys.set(record.id, deriveKey(key, 'watchword-feed-v1'))
  }
  return sealKeys(keys)
}

/** The key of the seals of followers without a store, unique to this process. */
export function newSealKeys(): SealKeys {
  const key = generateKey()
  return sealKeys(new Map([[keyId(key), deriveKey(key, 'test')]]))
}

/** Keys of seals, by id; the first one seals. */
export function sealKeys(keys: ReadonlyMap<string, LocalKey>): SealKeys {
  const [first] = keys
  if (first === undefined) throw new Error('no key')
  const [id, key] = first
  return { sealing: () => ({ id, key }), opening: (wanted) => keys.get(wanted) }
}

/** The header of a seal, but for what the test says. */
export function headerOf(changes: Partial<SealHeader> = {}): SealHeader {
  return {
    epoch: 'A'.repeat(22),
    seq: 1,
    link: ZERO_LINK,
    at: 0,
    first: 0,
    second: 0,
    writer: new Uint8Array(16).fill(7),
    ...changes,
  }
}

/** An event with these entries, or with these bytes in their place. */
export function sealedEvent(
  keys: SealKeys,
  content: readonly FeedEntry[] | Uint8Array,
  changes: Partial<SealHeader> = {},
): SealedEvent {
  const isRaw = content instanceof Uint8Array
  const header = headerOf({ first: isRaw ? 0 : expiryOf(content), ...changes })
  const payload = isRaw ? content : encodeEntries(content)
  return { seq: header.seq, bytes: seal(keys, 'event', header, payload) }
}
