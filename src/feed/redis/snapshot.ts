/**
 * The compacted state of the log, in lists of chunks. A new snapshot is written beside the current one.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { bytesOf } from '../../clients/redis/feed-client.js'
import { type Run, textOf } from '../../clients/redis/script.js'
import type { FeedSnapshot } from '../feed.js'
import type { Incidents } from '../incidents.js'
import * as lua from './lua.js'

/** The snapshot beside a log. */
export function redisSnapshot(run: Run<Buffer>, incidents: Incidents): FeedSnapshot {
  return {
    load: (signal) => load(run, incidents, signal),
    save: async (chunks, signal) => {
      const generation = randomBytes(9).toString('base64url')
      try {
        await save(run, generation, chunks, signal)
      } catch (error) {
        // Otherwise it expires in an hour.
        await run(lua.DROP_SNAPSHOT, generation).catch(() => undefined)
        throw error
      }
    },
  }
}

async function save(
  run: Run<Buffer>,
  generation: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  let count = 0
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    await run(lua.ADD_CHUNK, generation, Buffer.from(chunk))
    count++
  }
  signal.throwIfAborted()
  const { tag } = await run(lua.COMPLETE_SNAPSHOT, generation, String(count))
  if (tag === 'lost') throw new Error('redis lost a part of a snapshot while it was written')
}

async function* load(
  run: Run<Buffer>,
  incidents: Incidents,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  const { tag, rest } = await run(lua.FIND_SNAPSHOT)
  if (tag === 'none') return
  const generation = textOf(rest[0])
  const count = Number(textOf(rest[1]))
  for (let at = 0; at < count; ) {
    signal.throwIfAborted()
    const { tag: found, rest: chunks } = await run(lua.READ_CHUNKS, generation, String(at))
    // A snapshot without its last chunk is incomplete: the core then continues without it.
    if (found === 'damaged') return incidents.tell('damaged')
    if (chunks.length === 0) throw new Error('redis lost a part of a snapshot while it was read')
    for (const chunk of chunks) yield bytesOf(chunk)
    at += chunks.length
  }
}
