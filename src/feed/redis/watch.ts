/**
 * Waits for new events by blocking reads of the stream.
 *
 * A blocking read returns entries of any size from any writer, and skips trimmed ones. So it reads one entry at a time,
 * and before each read a script checks the stream: it removes entries above the head and returns only events of valid
 * size. After a quiet period the same script reports the position of the log.
 *
 * @module
 */

import {
  type BinaryCommand,
  binaryCommandOf,
  bytesOf,
  type RedisFeedClient,
} from '../../clients/redis/feed-client.js'
import type { Within } from '../../clients/redis/own-connection.js'
import { callRunner, type Run, textOf } from '../../clients/redis/script.js'
import { MAX_EVENT_BYTES, type Position, type SealedEvent, type WatchHint } from '../feed.js'
import type { Incidents } from '../incidents.js'
import * as lua from './lua.js'

const BLOCK_MS = '1000'

/** The position of a reader in the stream: the two parts of an id. */
interface Cursor {
  readonly no: string
  readonly seq: number
}

/** The position of the log, and the events after the cursor. */
interface Next extends Cursor {
  readonly epoch: string
  readonly removed: number
  readonly events: readonly SealedEvent[]
}

/** Options of a watch. */
export interface WatchOptions {
  readonly client: RedisFeedClient
  readonly within: Within
  readonly key: string
  readonly from: Position
  readonly wake: (hint?: WatchHint) => void
  readonly incidents: Incidents
}

/** Wakes for every event after `from`, until the log is no longer where the reader is, or the connection fails. */
export async function watchLog(options: WatchOptions): Promise<void> {
  const { client, within, key, from, wake, incidents } = options
  const command = binaryCommandOf(client)
  const run = callRunner(command, key, () => undefined)
  const next = async (cursor: Cursor): Promise<Next> => {
    const found = await within(readNext(run, cursor))
    if (found.removed > 0) incidents.tell('junk', found.removed)
    return found
  }
  const start = await next({ no: '', seq: 0 })
  let cursor: Cursor = start
  if (start.epoch === from.epoch && from.seq <= start.seq) cursor = { no: start.no, seq: from.seq }
  else if (from.epoch !== start.epoch || from.seq > 0) wake()
  // The last event delivered by a blocking read before the script saw it.
  let told = 0
  for (;;) {
    const found = await next(cursor)
    const isNew = Number(found.no) > Number(cursor.no)
    // The log was rolled back or dropped: ids are no longer comparable.
    if (!isNew && (found.no !== cursor.no || found.seq < cursor.seq)) return wake()
    if (isNew) {
      // Events of another epoch are not delivered: the core has to pull from that epoch's start.
      wake()
      cursor = found
      told = 0
      continue
    }
    const events = found.events.filter(({ seq }) => seq > told)
    const last = found.events.at(-1)
    if (events.length > 0) wake({ events })
    else if (last === undefined && found.seq > cursor.seq) wake()
    if (found.seq > cursor.seq) {
      cursor = { no: cursor.no, seq: last?.seq ?? found.seq }
      continue
    }
    told = await within(readOne(command, `${key}:log`, cursor, wake))
  }
}

async function readNext(run: Run<Buffer>, cursor: Cursor): Promise<Next> {
  const { tag, rest } = await run(lua.NEXT, cursor.no, String(cursor.seq))
  if (tag !== 'next') throw new Error(`the redis feed cannot be watched: ${tag}`)
  const [epoch, no, seq, removed, first, ...events] = rest
  return {
    epoch: textOf(epoch),
    no: textOf(no),
    seq: Number(textOf(seq)),
    removed: Number(textOf(removed)),
    events: events.map((bytes, at) => ({
      seq: Number(textOf(first)) + at,
      bytes: bytesOf(bytes),
    })),
  }
}

/** Waits for one entry and delivers it if it is the next one. Resolves with its `seq`, or 0. */
async function readOne(
  command: BinaryCommand,
  log: string,
  { no, seq }: Cursor,
  wake: (hint?: WatchHint) => void,
): Promise<number> {
  const options = ['COUNT', '1', 'BLOCK', BLOCK_MS, 'STREAMS', log, `${no}-${seq}`]
  const [entry] = entriesOf(await command(log, ['XREAD', ...options]))
  if (entry === undefined) return 0
  const [id, fields] = entry as readonly [unknown, unknown]
  const [name, value, more] = Array.isArray(fields) ? fields : []
  const isNext = textOf(id) === `${no}-${seq + 1}`
  if (!isNext || more !== undefined || name === undefined || textOf(name) !== 'e') return 0
  if (!Buffer.isBuffer(value) || value.length > MAX_EVENT_BYTES) return 0
  wake({ events: [{ seq: seq + 1, bytes: bytesOf(value) }] })
  return seq + 1
}

/** The entries of the one stream in a reply: a list of pairs, or with RESP3 the client's form of a map. */
function entriesOf(reply: unknown): readonly unknown[] {
  if (reply === null || reply === undefined) return []
  const streams = reply instanceof Map ? [...reply.entries()] : Object.values(reply)
  const [first, second] = streams
  // [[log, entries]], [log, entries], or { log: entries }
  const entries = isPair(first) ? first[1] : Array.isArray(first) ? first : second
  if (!Array.isArray(entries)) throw new Error('redis returned a reply that is not a stream')
  return entries
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2 && !Array.isArray(value[0])
}
