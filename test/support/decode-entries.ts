/**
 * The entries of an event as a list. The library itself applies them to an index and never lists them.
 *
 * @module
 */
import type { FeedEntry } from '../../src/revocation/index/entries.js'
import { writeUlid } from '../../src/revocation/index/ulid-codec.js'
import { applyEntries } from '../../src/revocation/log/decode-event.js'

/** Decodes one event. Returns `undefined` for bytes that are not exactly one event. Never throws. */
export function decodeEntries(bytes: Uint8Array): readonly FeedEntry[] | undefined {
  const entries: FeedEntry[] = []
  const take = (entry: FeedEntry) => entries.push(entry) > 0
  const index = {
    apply: take,
    applyWords: (words: Int32Array, expiresAt: number) =>
      take({ kind: 'token', value: writeUlid(words), expiresAt }),
  }
  return applyEntries(bytes, { index, onNode: take }) === undefined ? undefined : entries
}
