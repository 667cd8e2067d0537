/**
 * Wake-ups for any feed: a push channel that is not a log, such as Redis pub/sub or core NATS.
 *
 * A message holds the version of this encoding, the `seq` of an event in eight bytes, and the sealed event. Messages
 * are untrusted: the core checks their events like any others, and pulls events that the channel lost.
 *
 * @module
 */

import { adapterFor, hasMethods } from '../lib/foreign-client.js'
import { invalidOption } from '../lib/invalid.js'
import { describeKind } from '../lib/quote.js'
import { withSignals } from '../lib/signals.js'
import { MAX_EVENT_BYTES, type RevocationFeed, type WatchHint } from './feed.js'
import type { WakeupChannel } from './wakeups/channel.js'

export type { RedisFeedClient } from '../clients/redis/feed-client.js'
export type { WakeupChannel } from './wakeups/channel.js'
export {
  type NatsWakeupsConnection,
  type NatsWakeupsOptions,
  natsWakeups,
} from './wakeups/nats.js'
export { type RedisWakeupsOptions, redisWakeups } from './wakeups/redis.js'

const VERSION = 1
const HEADER_BYTES = 9
// Bounds the memory of a channel that hangs to a few megabytes.
const MOST_UNSETTLED = 100

/**
 * Adds a push channel to a feed: each event that this node appends is sent to the other nodes, which otherwise receive
 * it at their next poll. The channel affects only latency. If the feed has its own push channel, both are used.
 *
 * Wrap the feed on every node and use the returned feed in its place. Closing it closes the wrapped feed. Throws
 * `ERR_INVALID_OPTION` for another object, such as a client without its adapter.
 *
 * @example
 * ```ts
 * import { memoryFeed } from 'watchword/feed/memory'
 * import { type WakeupChannel, withWakeups } from 'watchword/feed/wakeups'
 *
 * const listeners = new Set<(message: Uint8Array) => void>()
 * const channel: WakeupChannel = {
 *   publish: (message) => {
 *     for (const listener of listeners) listener(message)
 *   },
 *   subscribe: async (onMessage, signal) => {
 *     listeners.add(onMessage)
 *     await new Promise((resolve) => signal.addEventListener('abort', resolve))
 *     listeners.delete(onMessage)
 *   },
 * }
 * const feed = withWakeups(memoryFeed(), channel)
 * ```
 */
export function withWakeups(feed: RevocationFeed, channel: WakeupChannel): RevocationFeed {
  check('feed', feed, ['open', 'head', 'read', 'append', 'close'])
  check('push channel', channel, ['publish', 'subscribe'])
  const send = sender(channel)
  const closing = new AbortController()
  return {
    get info() {
      return { ...feed.info, push: true }
    },
    open: (signal) => feed.open(signal),
    head: (options) => feed.head(options),
    read: (after, limit, options) => feed.read(after, limit, options),
    append: async (expect, events, next, options) => {
      const messages = events.map(({ seq, bytes }) => messageOf(seq, bytes))
      const appended = await feed.append(expect, events, next, options)
      if (!appended.ok) return appended
      if (messages.length === 0) send(messageOf(next.seq))
      for (const message of messages) send(message)
      return appended
    },
    watch: async (from, wake, signal) => {
      closing.signal.throwIfAborted()
      await withSignals([signal, closing.signal], async (stop) => {
        const wakeUntilStopped = (hint?: WatchHint) => {
          if (!stop.signal.aborted) wake(hint)
        }
        const onMessage = (message: Uint8Array) => wakeUntilStopped(hintOf(message))
        const channels = [async () => channel.subscribe(onMessage, stop.signal)]
        if (feed.watch !== undefined && feed.info.push)
          channels.push(async () => feed.watch?.(from, wakeUntilStopped, stop.signal))
        await firstToEnd(channels, stop)
      })
    },
    close: async () => {
      closing.abort()
      await feed.close()
    },
    ...optionalMethods(feed),
  }
}

function check(role: 'feed' | 'push channel', value: unknown, methods: readonly string[]): void {
  const isWhole = hasMethods(value, methods)
  // A client of Redis or NATS also has `publish` and `subscribe`, but none has the methods of a feed.
  if (isWhole && role === 'feed') return
  const hint = adapterFor(value, role)
  if (isWhole && hint === undefined) return
  const field = role === 'feed' ? role : 'channel'
  throw invalidOption(field, hint ?? `expected a ${role}, got ${describeKind(value)}`)
}

type Optional = 'touch' | 'trim' | 'peek' | 'snapshot' | 'observe' | 'reset' | 'identity'

function optionalMethods(feed: RevocationFeed): Pick<RevocationFeed, Optional> {
  const { touch, trim, peek, snapshot, observe, reset, identity } = feed
  return {
    ...(touch && { touch: touch.bind(feed) }),
    ...(trim && { trim: trim.bind(feed) }),
    ...(peek && { peek: peek.bind(feed) }),
    ...(snapshot && { snapshot }),
    ...(observe && { observe: observe.bind(feed) }),
    ...(reset && { reset: reset.bind(feed) }),
    ...(identity && { identity: identity.bind(feed) }),
  }
}

/** Settles with the first channel that ends, and stops the others: the core restarts all of them. */
async function firstToEnd(
  channels: readonly (() => Promise<void>)[],
  stop: AbortController,
): Promise<void> {
  if (stop.signal.aborted) return
  const aborted = new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  try {
    // A channel that ignores the signal is not awaited.
    await Promise.race([aborted, ...channels.map((start) => start())])
  } finally {
    stop.abort()
  }
}

/** Sends without waiting, and gives up on messages that cannot be sent. */
function sender(channel: WakeupChannel): (message: Uint8Array) => void {
  let unsettled = 0
  const publish = async (message: Uint8Array) => channel.publish(message)
  return (message) => {
    if (unsettled >= MOST_UNSETTLED) return
    unsettled++
    const settled = () => {
      unsettled--
    }
    publish(message).then(settled, settled)
  }
}

function messageOf(seq: number, bytes: Uint8Array = new Uint8Array(0)): Uint8Array {
  // A message that is too long for a channel is sent without its bytes.
  const carried = bytes.length > MAX_EVENT_BYTES ? 0 : bytes.length
  const message = new Uint8Array(HEADER_BYTES + carried)
  message[0] = VERSION
  new DataView(message.buffer).setBigUint64(1, BigInt(seq))
  message.set(bytes.subarray(0, carried), HEADER_BYTES)
  return message
}

/** The content of a message. An invalid one has no content but still wakes the node. */
function hintOf(message: Uint8Array): WatchHint | undefined {
  const length = message.length - HEADER_BYTES
  if (length <= 0 || length > MAX_EVENT_BYTES || message[0] !== VERSION) return undefined
  const seq = Number(new DataView(message.buffer, message.byteOffset).getBigUint64(1))
  if (!Number.isSafeInteger(seq)) return undefined
  // Copied, because the client may reuse its buffer.
  return { events: [{ seq, bytes: new Uint8Array(message.subarray(HEADER_BYTES)) }] }
}
