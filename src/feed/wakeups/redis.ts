/**
 * Wake-ups by Redis pub/sub.
 *
 * @module
 */

import { has } from '../../clients/redis/client.js'
import {
  binaryCommandOf,
  type RedisFeedClient,
  type Subscriber,
  subscriberOf,
} from '../../clients/redis/feed-client.js'
import { onOwnConnection } from '../../clients/redis/own-connection.js'
import { adapterOptions } from '../../lib/adapter-options.js'
import { invalidOption } from '../../lib/invalid.js'
import type { WakeupChannel } from './channel.js'

/** The options of {@link redisWakeups}. */
export interface RedisWakeupsOptions {
  /** The name of the channel: letters, digits, `.`, `_`, `:` and `-`, at most 200. Default: `'watchword:wakeups'`. */
  readonly channel?: string
  /**
   * Creates a client that subscribes, which is closed afterwards: a new one on each call, for the same server. Required
   * if the client has no `duplicate()`, as a pool. Default: a duplicate of the client that does not reconnect.
   */
  readonly subscriber?: () => RedisFeedClient | Promise<RedisFeedClient>
}

const CHANNEL = /^[A-Za-z0-9._:-]{1,200}$/
// A lost connection without traffic goes unnoticed for a long time.
const PING_EVERY_MS = 1000

/**
 * Wake-ups by Redis pub/sub, over the caller's own client, to which no listener is added and which is never closed.
 * Channels are server-wide, regardless of the database and the `keyPrefix`: use separate channels for feeds that share
 * a server.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis'
 * import { memoryFeed } from 'watchword/feed/memory'
 * import { redisWakeups, withWakeups } from 'watchword/feed/wakeups'
 *
 * const redis = new Redis({ lazyConnect: true, maxRetriesPerRequest: 1 })
 * const feed = withWakeups(memoryFeed(), redisWakeups(redis))
 * console.log(feed.info.push)
 * redis.disconnect()
 * ```
 */
export function redisWakeups(
  client: RedisFeedClient,
  ...given: readonly [options?: RedisWakeupsOptions]
): WakeupChannel {
  const options = adapterOptions(given, ['channel', 'subscriber'])
  const channel = checkedChannel(options)
  const command = binaryCommandOf(client)
  const subscriber = subscriberOf(client, options.subscriber)
  return {
    publish: async (message) => {
      await command(channel, ['PUBLISH', channel, Buffer.from(message)])
    },
    subscribe: (onMessage, signal) => listen(subscriber, channel, onMessage, signal),
  }
}

function listen(
  subscriber: Subscriber,
  channel: string,
  onMessage: (message: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  return onOwnConnection(subscriber, signal, async (client, within) => {
    const command = binaryCommandOf(client)
    await within(
      subscribe(client, channel, (message) => {
        if (!signal.aborted) onMessage(message)
      }),
    )
    // Messages sent before the subscription were missed.
    onMessage(new Uint8Array(0))
    for (;;) {
      await within(pause())
      await within(command(channel, ['PING']))
    }
  })
}

/** How the two libraries subscribe. */
interface IoRedisSubscriber {
  on(event: 'messageBuffer', listener: (channel: Buffer, message: Buffer) => void): unknown
  subscribe(channel: string): Promise<unknown>
}
interface NodeRedisSubscriber {
  subscribe(channel: string, listener: (message: Buffer) => void, asBuffers: true): Promise<unknown>
}

function subscribe(
  client: RedisFeedClient,
  channel: string,
  onMessage: (message: Uint8Array) => void,
): Promise<unknown> {
  if (has(client, 'callBuffer')) {
    const subscriber = client as unknown as IoRedisSubscriber
    subscriber.on('messageBuffer', (_, message) => onMessage(message))
    return subscriber.subscribe(channel)
  }
  return (client as unknown as NodeRedisSubscriber).subscribe(channel, onMessage, true)
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, PING_EVERY_MS).unref()
  })
}

function checkedChannel({ channel = 'watchword:wakeups' }: RedisWakeupsOptions): string {
  if (typeof channel === 'string' && CHANNEL.test(channel)) return channel
  throw invalidOption('channel', "expected 1 to 200 letters, digits, '.', '_', ':' or '-'")
}
