/**
 * Logs with many revocations in them, to start with.
 *
 * @module
 */

import { startParts, stopParts } from '../../src/authority/lifecycle.js'
import type { Parts } from '../../src/authority/parts.js'
import { buildParts } from '../../src/authority/wiring.js'
import type { Position, RevocationFeed, SealedEvent } from '../../src/feed/feed.js'
import { resolveOptions } from '../../src/options/options.js'
import type { TokenEntry } from '../../src/revocation/index/entries.js'
import { writeUlid } from '../../src/revocation/index/ulid-codec.js'
import { encodeEntries } from '../../src/revocation/log/encode-event.js'
import { linkOf, type SealKeys, seal, sealHead } from '../../src/revocation/log/seal.js'
import { demand } from '../expect.js'
import { HOUR, nextId, numbers } from './ids.js'
import { type Fleet, OPTIONS, openStore } from './node.js'

/** Of every node that reads or writes that much. */
export const TIMEOUT = '30s'
const TIMEOUT_MS = 30_000
const GROUP = 5000
/** Events of one append. */
const PAGE = 500

/** Writes that many revocations of single tokens into a log. */
export type Write = (fleet: Fleet, feed: RevocationFeed, entries: number) => Promise<void>

async function asNode(
  fleet: Fleet,
  feed: RevocationFeed,
  act: (parts: Parts) => Promise<void>,
): Promise<void> {
  const store = await openStore(fleet)
  const { rootKey } = fleet
  const parts = buildParts(resolveOptions({ ...OPTIONS, rootKey, store, feed, timeout: TIMEOUT }))
  await startParts(parts)
  await act(parts)
  await stopParts(parts)
}

function* made(count: number, from: number): Generator<TokenEntry> {
  const next = numbers(7)
  const id = new Int32Array(4)
  for (let i = 0; i < count; i++) {
    nextId(next, id)
    yield { kind: 'token', value: writeUlid(id), expiresAt: from + (i % 24) * HOUR }
  }
}

function take<T>(from: Iterator<T>, count: number): T[] {
  const taken: T[] = []
  while (taken.length < count) {
    const { done, value } = from.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}

/** In events of a thousand each. */
export async function writeGroups(
  fleet: Fleet,
  feed: RevocationFeed,
  entries: number,
): Promise<void> {
  await asNode(fleet, feed, async ({ clock, follower }) => {
    const tokens = made(entries, clock.now() + 24 * HOUR)
    for (let done = 0; done < entries; done += GROUP) await follower.publish(take(tokens, GROUP))
  })
}

/**
 * In an event for each, and then compacts the log. The events are written past the publisher, which would wait for each,
 * or put many into one; the node reads them like any other.
 */
export async function writeSingly(
  fleet: Fleet,
  feed: RevocationFeed,
  entries: number,
): Promise<void> {
  await asNode(fleet, feed, async ({ feedKeyring, follower, clock }) => {
    const tokens = made(entries, clock.now() + 24 * HOUR)
    let position = await follower.publish(take(tokens, 1))
    for (let page = take(tokens, PAGE); page.length > 0; ) {
      const { events, next } = sealSingly(feedKeyring, position, page, clock.now())
      if ((await feed.append(position, events, next, call())).ok) {
        position = next
        page = take(tokens, PAGE)
      } else {
        // The node itself had something to say.
        await follower.pull()
        position = follower.position
      }
    }
    await follower.pull()
    await follower.compact(clock.now())
  })
  const head = await feed.head(call())
  demand('snapshot', head !== null && head.floor > entries / 2)
}

function sealSingly(keys: SealKeys, after: Position, entries: readonly TokenEntry[], at: number) {
  const { epoch } = after
  const writer = new Uint8Array(16)
  const events: SealedEvent[] = []
  let { seq, link } = after
  for (const entry of entries) {
    const header = { epoch, seq: ++seq, link, at, first: entry.expiresAt, second: 0, writer }
    const bytes = seal(keys, 'event', header, encodeEntries([entry]))
    events.push({ seq, bytes })
    link = linkOf(bytes)
  }
  return { events, next: sealHead(keys, { epoch, seq, link, at, first: 1, second: 0, writer }) }
}

const call = () => ({ signal: AbortSignal.timeout(TIMEOUT_MS), deadlineMs: TIMEOUT_MS })
