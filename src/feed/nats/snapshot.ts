/**
 * Snapshots: chunks under a subject of their own, and a short manifest message that makes them a complete snapshot.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { isStreamMissing, type StreamInfo } from '../../clients/nats/client.js'
import type { FeedSnapshot } from '../feed.js'
import { readEphemerally } from './ephemeral-consumer.js'
import type { Log } from './log.js'

// More than the feed itself can leave; other clients may publish more.
const MAX_MANIFESTS = 64
// The number of chunks in flight: order is kept, and no queue of the server overflows.
const IN_FLIGHT = 16
const MANIFEST = /^([\w-]{22}) (\d{1,9})$/

/** Which chunks belong together, and their number. */
interface Manifest {
  readonly generation: string
  readonly chunks: number
}

/** Stores snapshots beside a log, which may not be open yet. */
export function snapshotsOf(logOf: () => Promise<Log>): FeedSnapshot {
  return {
    async *load(signal) {
      const log = await logOf()
      const info = await infoOf(log)
      for (const manifest of await manifestsOf(log, info, signal)) {
        if (countOf(log, info, manifest.generation) === manifest.chunks)
          return yield* chunksOf(log, info, manifest, signal)
      }
    },
    save: async (chunks, signal) => {
      const log = await logOf()
      await log.open()
      const generation = randomBytes(16).toString('base64url')
      let first: number
      try {
        const sent = await publishChunks(log, generation, chunks, signal)
        const last = await publishManifest(log, { generation, chunks: sent.length }, signal)
        first = sent[0] ?? last
      } catch (error) {
        await purge(log, { filter: log.names.chunks(generation) })
        throw error
      }
      // Removes earlier snapshots and the remains of unfinished ones. A purge up to 1 would remove everything.
      if (first > 1) await purge(log, { seq: first })
    },
  }
}

/** Returns the sequence numbers of the chunks. */
async function publishChunks(
  { js, names }: Log,
  generation: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<number[]> {
  const subject = names.chunks(generation)
  const options = { expect: { streamName: names.snapshots } }
  const sent: Promise<{ readonly seq: number }>[] = []
  for await (const chunk of chunks) {
    signal.throwIfAborted()
    // Waits while the maximum is in flight.
    await sent.at(-IN_FLIGHT)
    const sending = js.publish(subject, chunk.slice(), options)
    // It may fail while the next chunk is still being produced.
    sending.catch(() => undefined)
    sent.push(sending)
  }
  return (await Promise.all(sent)).map(({ seq }) => seq)
}

async function publishManifest(
  log: Log,
  { generation, chunks }: Manifest,
  signal: AbortSignal,
): Promise<number> {
  const { js, names } = log
  // Another node that saved at the same time took these chunks for remains.
  if (countOf(log, await infoOf(log), generation) !== chunks)
    throw new Error('the chunks of the snapshot are not all in the stream')
  signal.throwIfAborted()
  const bytes = new TextEncoder().encode(`${generation} ${chunks}`)
  const options = { expect: { streamName: names.snapshots } }
  return (await js.publish(names.manifests, bytes, options)).seq
}

async function infoOf({ manager, names }: Log): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(names.snapshots, { subjects_filter: '>' })
  } catch (error) {
    if (isStreamMissing(error)) return undefined
    throw error
  }
}

function countOf({ names }: Log, info: StreamInfo | undefined, generation: string): number {
  return info?.state.subjects?.[names.chunks(generation)] ?? 0
}

/** Snapshots that appear complete, newest first. */
async function manifestsOf(
  { js, manager, names }: Log,
  info: StreamInfo | undefined,
  signal: AbortSignal,
): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  let left = info?.state.subjects?.[names.manifests] ?? 0
  if (info === undefined || left === 0) return manifests
  const where = { stream: names.snapshots, subject: names.manifests, averageBytes: 0, signal }
  for await (const { data } of readEphemerally(js, manager, {
    ...where,
    start: info.state.first_seq,
  })) {
    const [, generation, chunks] = MANIFEST.exec(new TextDecoder().decode(data)) ?? []
    if (generation !== undefined) manifests.unshift({ generation, chunks: Number(chunks) })
    if (manifests.length > MAX_MANIFESTS) manifests.pop()
    if (--left === 0) break
  }
  return manifests
}

async function* chunksOf(
  { js, manager, names }: Log,
  info: StreamInfo | undefined,
  { generation, chunks }: Manifest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  if (info === undefined || chunks === 0) return
  const { bytes, messages, first_seq: start } = info.state
  const where = { stream: names.snapshots, subject: names.chunks(generation), start, signal }
  let left = chunks
  for await (const { data } of readEphemerally(js, manager, {
    ...where,
    averageBytes: bytes / messages,
  })) {
    yield data.slice()
    if (--left === 0) return
  }
  throw new Error('the snapshot was replaced while it was read')
}

// Remains after a failure are removed with the next snapshot.
async function purge(
  { manager, names }: Log,
  what: { readonly seq: number } | { readonly filter: string },
): Promise<void> {
  await manager.streams.purge(names.snapshots, what).catch(() => undefined)
}
