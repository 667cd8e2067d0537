/**
 * A start with a million revocations in the log: from `createWatchword` to a node that is live and refuses.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWatchword, type RevocationFeed } from '../../src/index.js'
import { startParts, stopParts } from '../../src/lifecycle.js'
import { resolveOptions } from '../../src/options.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import type { TokenEntry } from '../../src/revocation/event.js'
import { writeUlid } from '../../src/revocation/ulid-words.js'
import { buildParts } from '../../src/wiring.js'
import { uniqueName } from '../../test/contract/servers.js'
import { demand } from '../expect.js'
import { BROKERS } from './brokers.js'
import { HOUR, nextId, numbers } from './ids.js'
import { type Fleet, OPTIONS, openStore } from './node.js'

const GROUP = 5000

/** Measures one broker, in milliseconds, or answers `undefined` when it is not there. */
export async function startUp(name: string, entries: number): Promise<number | undefined> {
  await ready
  const prefix = uniqueName()
  const broker = await BROKERS[name]?.(prefix)
  if (broker === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'watchword-bench-'))
  const fleet = { file: join(folder, 'store.db'), rootKey: exportKey(generateKey()) }
  try {
    await broker.prepare()
    await fill(fleet, keptOpen(broker.feed), entries)
    const store = await openStore(fleet)
    const start = performance.now()
    const watchword = await createWatchword({
      ...OPTIONS,
      rootKey: fleet.rootKey,
      store,
      feed: broker.feed,
      timeout: '30s',
    })
    const ms = performance.now() - start
    const { status, revocations } = watchword.health()
    demand('start-up', status === 'live' && revocations === entries)
    await watchword.close()
    return ms
  } finally {
    await broker.drop()
    await broker.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

// The one that fills the log is not the last to use the feed.
function keptOpen(feed: RevocationFeed): RevocationFeed {
  return Object.create(feed, { close: { value: async () => {} } }) as RevocationFeed
}

async function fill(fleet: Fleet, feed: RevocationFeed, entries: number): Promise<void> {
  const { rootKey } = fleet
  const store = await openStore(fleet)
  const parts = buildParts(resolveOptions({ ...OPTIONS, rootKey, store, feed, timeout: '30s' }))
  await startParts(parts)
  const next = numbers(7)
  const id = new Int32Array(4)
  const expiresAt = parts.clock.now() + 24 * HOUR
  for (let done = 0; done < entries; done += GROUP) {
    const group: TokenEntry[] = []
    for (let i = 0; i < GROUP; i++) {
      nextId(next, id)
      group.push({ kind: 'token', value: writeUlid(id), expiresAt: expiresAt + (i % 24) * HOUR })
    }
    await parts.follower.publish(group)
  }
  await stopParts(parts)
}
