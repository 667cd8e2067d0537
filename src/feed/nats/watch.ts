/**
 * The push channel: a consumer at the end of the stream, trusted until an event suggests lost messages.
 *
 * @module
 */

import {
  type ConnectionStatus,
  connectionStatus,
  type DeliveredMessage,
} from '../../clients/nats/client.js'
import { type Position, samePosition, type WatchHint } from '../feed.js'
import { EPHEMERAL } from './ephemeral-consumer.js'
import { decodeFrame } from './frame.js'
import type { Log } from './log.js'
import type { Reader } from './read.js'

// The client reports silence after two heartbeats, about three seconds. Its default is a minute.
const CONSUME = { expires: 5000, idle_heartbeat: 1000, abort_on_missing_resource: true } as const

/** Status events of the consumer and the connection after which messages may have been lost. */
const DOUBTS: ReadonlySet<string> = new Set([
  'heartbeats_missed',
  'consumer_deleted',
  'consumer_not_found',
  'stream_not_found',
  'no_responders',
  'exceeded_limits',
  'disconnect',
  'reconnect',
  'staleConnection',
  'slowConsumer',
  'close',
])

/** Options of a watch. */
export interface WatchOptions {
  readonly log: Log
  readonly reader: Reader
  readonly from: Position
  readonly wake: (hint?: WatchHint) => void
  readonly signal: AbortSignal
  /** Tracks resources that are still being released on the server. */
  readonly release: (done: Promise<unknown>) => void
}

/**
 * Wakes for each new position, beginning with the current one. Resolves when the signal aborts. Rejects as soon as
 * messages may have been lost, because an interrupted consumer would continue as if nothing had been missed.
 */
export async function watchLog(options: WatchOptions): Promise<void> {
  const { log, signal, release } = options
  const { manager, js, names } = log
  if (signal.aborted) return
  const end = endOn(signal)
  const connection = connectionStatus(js)
  if (connection !== undefined) void failOnDoubt(connection, end)
  const adding = manager.consumers.add(names.log, { ...EPHEMERAL, deliver_policy: 'last' })
  try {
    await Promise.race([consume(options, adding, end), end.promise])
  } finally {
    end.isOver = true
    connection?.stop?.()
    release(adding.then(({ name }) => manager.consumers.delete(names.log, name)))
  }
}

async function consume(options: WatchOptions, adding: Promise<object>, end: End): Promise<void> {
  const { log, release } = options
  const consumer = log.js.consumers.getConsumerFromInfo((await adding) as never)
  if (end.isOver) return
  const receive = receiver(options)
  const callback = (message: DeliveredMessage): void => {
    if (!end.isOver && !receive(message)) end.fail(new Error('the nats consumer lost a message'))
  }
  const messages = await consumer.consume({ ...CONSUME, callback })
  try {
    void messages.closed().then((error) => end.fail(error ?? new Error('the consumer ended')))
    void failOnDoubt(messages.status(), end)
    await end.promise
  } finally {
    release(messages.close())
  }
}

/** How a watch ends. */
interface End {
  readonly promise: Promise<void>
  readonly fail: (error: unknown) => void
  isOver: boolean
}

function endOn(signal: AbortSignal): End {
  let fail: (error: unknown) => void = () => {}
  const promise = new Promise<void>((resolve, reject) => {
    fail = reject
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  return { promise, fail, isOver: false }
}

/** Processes messages one by one; returns `false` if the message before it is missing. */
function receiver({ reader, from, wake }: WatchOptions) {
  let position: Position = from
  let delivered = 0
  let previous = Number.POSITIVE_INFINITY
  return ({ seq: at, data, info }: DeliveredMessage): boolean => {
    if (info.deliverySequence !== ++delivered) return false
    const frame = decodeFrame(data)
    if (frame === undefined) {
      // The message before the first one is unknown: only the first message defines the position.
      if (delivered === 1) wake()
      return true
    }
    reader.saw(previous, at, frame)
    previous = at
    const { head, events } = frame
    const isNew = !samePosition(head, position)
    position = head
    if (isNew) wake(events.length > 0 ? { events } : undefined)
    return true
  }
}

async function failOnDoubt(status: ConnectionStatus, { fail }: End): Promise<void> {
  for await (const { type } of status)
    if (DOUBTS.has(type)) return fail(new Error(`the nats channel is in doubt: ${type}`))
}
