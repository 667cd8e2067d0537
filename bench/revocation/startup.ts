/**
 * A start with a million revocations in the log: from `createWatchword` to a node that is live and refuses.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { createWatchword } from '../../src/index.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import { uniqueName } from '../../test/contract/servers.js'
import { demand } from '../expect.js'
import { median } from '../statistics.js'
import { PLACES } from './brokers.js'
import { TIMEOUT, type Write, writeGroups, writeSingly } from './fill.js'
import { type Fleet, OPTIONS, openStore } from './node.js'

const STARTS = 3

/** Milliseconds. */
export interface StartUpFigures {
  /** From a log of events of a thousand revocations each. */
  readonly events: number
  /** From a log that had an event for each revocation, until a node made a snapshot of it. */
  readonly snapshot: number
}

/** Measures one feed. Resolves with `undefined` when its server is not available. */
export async function startUp(name: string, entries: number): Promise<StartUpFigures | undefined> {
  await ready
  const events = await measure(name, entries, writeGroups)
  if (events === undefined) return undefined
  const snapshot = await measure(name, entries, writeSingly)
  return snapshot === undefined ? undefined : { events, snapshot }
}

async function measure(name: string, entries: number, write: Write): Promise<number | undefined> {
  const place = await PLACES[name]?.(uniqueName())
  if (place === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'watchword-bench-'))
  const fleet = { file: join(folder, 'store.db'), rootKey: exportKey(generateKey()) }
  const feed = keptOpen(place.feed)
  try {
    await place.prepare()
    await write(fleet, feed, entries)
    const starts: number[] = []
    for (let i = 0; i < STARTS; i++) starts.push(await timeOf(fleet, feed, entries))
    return median(starts)
  } finally {
    await place.feed.close()
    await place.drop()
    await place.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function timeOf(fleet: Fleet, feed: RevocationFeed, entries: number): Promise<number> {
  const { rootKey } = fleet
  const store = await openStore(fleet)
  globalThis.gc?.()
  const start = performance.now()
  const watchword = await createWatchword({ ...OPTIONS, rootKey, store, feed, timeout: TIMEOUT })
  const ms = performance.now() - start
  const { status, revocations } = watchword.health()
  demand('start-up', status === 'live' && revocations === entries)
  await watchword.close()
  return ms
}

// One node after the other uses it.
function keptOpen(feed: RevocationFeed): RevocationFeed {
  return Object.create(feed, { close: { value: async () => {} } }) as RevocationFeed
}
