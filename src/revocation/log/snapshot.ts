/**
 * Snapshots: all entries of a node, in sealed chunks that replace the beginning of a log.
 *
 * A chunk is bound to the snapshot id, the position in the log and its own number, so chunks can be neither reordered
 * nor omitted. The position is read before the index is iterated: entries that arrive during the iteration may be
 * missing from the snapshot, but they follow in the log.
 *
 * @module
 */

import { randomBytes } from 'node:crypto'
import type { Position } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import { has } from '../../lib/fields.js'
import type { RevocationEntry } from '../index/entries.js'
import type { RevocationIndex } from '../index/revocation-index.js'
import { applyEntries } from './decode-event.js'
import { encodeEntries, groupEntries } from './encode-event.js'
import type { FeedClient } from './feed-client.js'
import { MAX_PAYLOAD, open, type SealKeys, seal } from './seal.js'
import { indexFull, unknownEntry } from './unavailable.js'

/** Options for loading. */
export interface LoadOptions {
  readonly feedClient: FeedClient
  readonly keys: SealKeys
  readonly index: RevocationIndex
  /** Receives the entries as well: the entries of the log, while they are compared with those of the node. */
  readonly shadow: RevocationIndex | undefined
  /** Called once before a rejection because of an entry that could not be applied. */
  readonly onIncident: (kind: 'unreadable' | 'full', count: number) => void
}

/**
 * Loads the snapshot of a feed. Resolves with its position, or `undefined` if there is no authentic and complete
 * snapshot. Entries that were read before a failure stay applied.
 *
 * Rejects with `ERR_FEED_UNAVAILABLE` if a chunk has an entry of an unknown kind, or if the index is full: an accepted
 * position would skip the revocations of that chunk.
 */
export async function loadSnapshot(options: LoadOptions): Promise<Position | undefined> {
  let number = 0
  let id: string | undefined
  for await (const chunk of options.feedClient.load()) {
    const opened = open(options.keys, 'chunk', chunk)
    if (has(opened, 'failure') || opened.first !== number) return undefined
    const snapshot = Buffer.from(opened.writer).toString('hex')
    if (id !== undefined && id !== snapshot) return undefined
    id = snapshot
    applyChunk(opened.payload, options)
    if (opened.second === 1) return { epoch: opened.epoch, seq: opened.seq, link: opened.link }
    number++
    await nextTurn()
  }
  return undefined
}

function applyChunk(payload: Uint8Array, { index, shadow, onIncident }: LoadOptions): void {
  const outcome = applyEntries(payload, { index })
  if (outcome === undefined) {
    onIncident('unreadable', 1)
    throw unknownEntry()
  }
  if (outcome.refused > 0) {
    onIncident('full', 1)
    throw indexFull()
  }
  if (shadow !== undefined) applyEntries(payload, { index: shadow })
}

/** Options for saving. */
export interface SaveOptions {
  readonly feedClient: FeedClient
  readonly keys: SealKeys
  readonly clock: ResolvedClock
  readonly position: Position
  readonly entries: Iterable<RevocationEntry>
}

/** Saves a snapshot of the entries. Rejects with `ERR_FEED_UNAVAILABLE`. */
export function saveSnapshot(options: SaveOptions): Promise<void> {
  return options.feedClient.save(chunksOf(options))
}

// The last chunk is empty: the number of chunks is known only after the iteration.
async function* chunksOf({ keys, clock, position, entries }: SaveOptions) {
  const writer = new Uint8Array(randomBytes(16))
  let number = 0
  const chunk = (group: readonly RevocationEntry[], last: boolean) =>
    seal(
      keys,
      'chunk',
      { ...position, at: clock.now(), first: number++, second: last ? 1 : 0, writer },
      encodeEntries(group),
    )
  for (const group of groupEntries(entries, MAX_PAYLOAD)) {
    yield chunk(group, false)
    await nextTurn()
  }
  yield chunk([], true)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
