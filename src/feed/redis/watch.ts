/**
 * Waits for new events by blocking reads of the stream.
 *
 * A blocking read skips what was trimmed, and sees nothing of a log that was rolled back or dropped until it has grown
 * past where the read stands. So whenever nothing came for a while, the head is asked for where it stands.
 *
 * @module
 */
import { textOf } from '../../store/redis/script.js'
import type { Position, SealedEvent, WatchHint } from '../feed.js'
import { type BinaryCommand, binaryCommandOf, bytesOf, type RedisFeedClient } from './client.js'
import type { Within } from './own-connection.js'

const BLOCK_MS = '1000'
// Some megabytes at worst.
const MOST_EVENTS = '64'

/** Where a reader of the stream stands: the two halves of an id. */
interface Cursor {
  readonly no: string
  readonly seq: string
}

/** Wakes for every event after `from`, until the log is no longer where the reader is, or the connection fails. */
export async function watchLog(
  client: RedisFeedClient,
  within: Within,
  key: string,
  from: Position,
  wake: (hint?: WatchHint) => void,
): Promise<void> {
  const command = binaryCommandOf(client)
  const head = () => within(readHead(command, key))
  const { epoch, ...top } = await head()
  let cursor: Cursor = top
  if (epoch === from.epoch && from.seq <= Number(top.seq))
    cursor = { no: top.no, seq: String(from.seq) }
  else if (from.epoch !== (epoch ?? '') || from.seq > 0) wake()
  for (;;) {
    const entries = await within(readNext(command, `${key}:log`, cursor))
    const last = entries.at(-1)
    if (last !== undefined) {
      wake(hintOf(entries, cursor))
      cursor = last
      continue
    }
    const { no, seq } = await head()
    const isBehind = no === cursor.no && Number(seq) > Number(cursor.seq)
    if (no === cursor.no && seq === cursor.seq) continue
    wake()
    // Someone put something above the head, or took away what was below: ids say nothing any more.
    if (!isBehind) return
  }
}

async function readHead(
  command: BinaryCommand,
  key: string,
): Promise<Cursor & { readonly epoch?: string }> {
  const reply = await command(key, ['HMGET', key, 'no', 'seq', 'epoch'])
  const [no, seq, epoch] = Array.isArray(reply) ? reply : []
  if (!epoch) return { no: '0', seq: '0' }
  return { no: textOf(no), seq: textOf(seq), epoch: textOf(epoch) }
}

interface Entry extends Cursor {
  /** None when it is not one of ours. */
  readonly bytes?: Uint8Array
}

async function readNext(
  command: BinaryCommand,
  log: string,
  { no, seq }: Cursor,
): Promise<readonly Entry[]> {
  const options = ['COUNT', MOST_EVENTS, 'BLOCK', BLOCK_MS, 'STREAMS', log, `${no}-${seq}`]
  const entries = entriesOf(await command(log, ['XREAD', ...options]))
  return entries.map((entry) => {
    const [id, fields] = entry as readonly [unknown, unknown]
    const [entryNo = '', entrySeq = ''] = textOf(id).split('-')
    const [name, value] = Array.isArray(fields) ? fields : []
    const isOurs = fields !== null && name !== undefined && textOf(name) === 'e'
    return { no: entryNo, seq: entrySeq, ...(isOurs && { bytes: bytesOf(value) }) }
  })
}

/** The entries of the one stream in a reply: a list of pairs, or with RESP3 whatever the client makes of a map. */
function entriesOf(reply: unknown): readonly unknown[] {
  if (reply === null || reply === undefined) return []
  const streams = reply instanceof Map ? [...reply.entries()] : Object.values(reply)
  const [first, second] = streams
  // [[log, entries]], [log, entries], or { log: entries }
  const entries = isPair(first) ? first[1] : Array.isArray(first) ? first : second
  if (!Array.isArray(entries)) throw new Error('redis answered something that is no stream')
  return entries
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2 && !Array.isArray(value[0])
}

// Events of another epoch are not told: the core has to pull from that epoch's start.
function hintOf(entries: readonly Entry[], { no }: Cursor): WatchHint | undefined {
  const events: SealedEvent[] = []
  for (const entry of entries) {
    if (entry.no !== no || entry.bytes === undefined) return undefined
    events.push({ seq: Number(entry.seq), bytes: entry.bytes })
  }
  return { events }
}
