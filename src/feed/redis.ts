/**
 * A feed in Redis 7 or Valkey, over the caller's own client: the log is a stream, the head a hash.
 *
 * Every call is one Lua script: one round trip and one atomic step. Blocking reads on a separate connection deliver new
 * events at once. All keys share one hash tag, so a cluster keeps them on one node.
 *
 * @module
 */

import {
  binaryCommandOf,
  bytesOf,
  type RedisFeedClient,
  subscriberOf,
} from '../clients/redis/feed-client.js'
import { checkKeyOptions } from '../clients/redis/options.js'
import { onOwnConnection } from '../clients/redis/own-connection.js'
import { callRunner, type Reply, type Run, textOf } from '../clients/redis/script.js'
import { redisIdentity } from '../clients/redis/server.js'
import { Standby } from '../clients/redis/standby.js'
import { WatchwordError } from '../errors.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { closedError } from '../lib/closed-adapter.js'
import { withReason } from '../lib/failure-reason.js'
import { bare } from '../lib/fields.js'
import { withSignals } from '../lib/signals.js'
import type {
  Appended,
  CallOptions,
  Durability,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
} from './feed.js'
import { Incidents } from './incidents.js'
import * as lua from './redis/lua.js'
import { openFeed } from './redis/open.js'
import { redisSnapshot } from './redis/snapshot.js'
import { watchLog } from './redis/watch.js'

export type {
  IoRedisFeedClient,
  IoRedisPipeline,
  NodeRedisFeedClient,
  NodeRedisFeedCluster,
  NodeRedisFeedSentinel,
  RedisFeedClient,
} from '../clients/redis/feed-client.js'

/** The options of {@link redisFeed}. */
export interface RedisFeedOptions {
  /** Prefix of every key: letters, digits, `.`, `_` and `-`, at most 64. Default: `'watchword'`. */
  readonly prefix?: string
  /** Whether to accept a server that may evict keys when memory is full (`maxmemory-policy`). Default: `false`. */
  readonly allowEviction?: boolean
  /**
   * Creates a client for blocking reads, which the feed closes afterwards: a new one on each call, for the same server,
   * database and `keyPrefix`. Required if the client has no `duplicate()`, as a pool. Default: a duplicate of the
   * client that does not reconnect.
   */
  readonly subscriber?: () => RedisFeedClient | Promise<RedisFeedClient>
}

/**
 * A feed in Redis, which may share the server and the prefix of a `redisStore`. The caller owns the client: the feed
 * adds no listener to it and never closes it. Set `enableOfflineQueue: false` (ioredis) or `disableOfflineQueue: true`
 * (node-redis), so commands fail while the server is down instead of being sent late.
 *
 * Appended events survive a crash of the server's machine with `appendonly yes` and `appendfsync always`; otherwise a
 * restarted server, or a promoted replica, may lose the newest events. Nodes detect this and append the lost events
 * again.
 *
 * @throws `ERR_INVALID_OPTION` when an option is wrong.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis'
 * import { redisFeed } from 'watchword/feed/redis'
 *
 * const redis = new Redis({ lazyConnect: true, maxRetriesPerRequest: 1 })
 * const feed = redisFeed(redis, { prefix: 'tokens' })
 * console.log(feed.info.name, feed.info.push)
 * redis.disconnect()
 * ```
 */
export function redisFeed(
  client: RedisFeedClient,
  ...given: readonly [options?: RedisFeedOptions]
): RevocationFeed {
  const { prefix, allowEviction, subscriber: asked } = checkOptions(given)
  const caller = binaryCommandOf(client)
  const subscriber = subscriberOf(client, asked)
  const key = `{${prefix}}:feed`
  const closing = new AbortController()
  const incidents = new Incidents()
  const standby = new Standby<RedisFeedClient, Buffer>({
    command: caller,
    create: subscriber,
    commandOf: binaryCommandOf,
    onSilence: () => incidents.tell('connection'),
  })
  const { command } = standby
  const run = feedRunner(
    callRunner(command, key, () => {
      if (closing.signal.aborted) throw closedError('the redis feed')
    }),
    incidents,
  )
  const place = `redis keys ${key}*`
  let durability: Durability = 'unknown'
  return {
    get info() {
      return { name: 'redis', push: true, durability, suggestedPollMs: 1000, place }
    },
    open: async (signal) => {
      signal.throwIfAborted()
      durability = await openFeed(run, command, key, allowEviction)
    },
    ...logMethods(run),
    watch: async (from, wake, signal) => {
      closing.signal.throwIfAborted()
      await withSignals([signal, closing.signal], (stop) =>
        onOwnConnection(subscriber, stop.signal, (own, within) =>
          watchLog({ client: own, within, key, from, wake, incidents }),
        ),
      )
    },
    snapshot: redisSnapshot(run, incidents),
    observe: (listener) => incidents.observe(listener),
    identity: async ({ signal }) => {
      signal.throwIfAborted()
      return redisIdentity(run)
    },
    reset: async () => {
      closing.signal.throwIfAborted()
      await run(lua.RESET)
    },
    close: async () => {
      closing.abort()
      standby.close()
    },
  }
}

/** Runs scripts of the feed, and reports a key of the wrong type. */
function feedRunner(run: Run<Buffer>, incidents: Incidents): Run<Buffer> {
  return async (script, ...args) => {
    const reply = await run(script, ...args)
    if (reply.tag !== 'type') return reply
    const [name, found, wanted] = reply.rest.map(textOf)
    incidents.tell('damaged')
    const error = new WatchwordError(
      'ERR_FEED_UNAVAILABLE',
      `the redis key '${name}' of the feed holds a ${found}, where a ${wanted} is expected: remove the key, and let only the nodes write to it`,
    )
    throw withReason(error, 'corrupt')
  }
}

type LogMethods = Pick<RevocationFeed, 'head' | 'read' | 'append'> &
  Required<Pick<RevocationFeed, 'touch' | 'trim'>>

function logMethods(run: Run<Buffer>): LogMethods {
  return {
    head: async ({ signal }) => {
      signal.throwIfAborted()
      return headOf(await run(lua.HEAD_OF_LOG))
    },
    read: async ({ epoch, seq }, limit, { signal }) => {
      signal.throwIfAborted()
      const most = String(Math.min(limit, lua.MOST_READ))
      const { rest } = await run(lua.READ, epoch, String(seq), most)
      const [floor, first, ...events] = rest
      return { events: eventsOf(Number(textOf(first)), events), floor: Number(textOf(floor)) }
    },
    append: (expect, events, next, { signal }) => append(run, expect, events, next, signal),
    touch: async (expect, next, { signal }) => {
      signal.throwIfAborted()
      const seal = [String(next.beaconAt), Buffer.from(next.bytes)]
      const { tag } = await run(lua.TOUCH, ...positionArgs(expect), ...seal)
      return tag === 'touched'
    },
    trim: async (upTo, { signal }) => {
      for (let tag = 'more'; tag === 'more'; ) {
        signal.throwIfAborted()
        tag = (await run(lua.TRIM, String(upTo))).tag
      }
    },
  }
}

async function append(
  run: Run<Buffer>,
  expect: Position | null,
  events: readonly SealedEvent[],
  next: SealedHead,
  signal: CallOptions['signal'],
): Promise<Appended> {
  signal.throwIfAborted()
  const reply = await run(
    lua.APPEND,
    ...positionArgs(expect),
    ...positionArgs(next),
    String(next.beaconAt),
    // Copies, because a client that is not connected sends them later.
    Buffer.from(next.bytes),
    ...events.map(({ bytes }) => Buffer.from(bytes)),
  )
  return reply.tag === 'appended' ? { ok: true } : { ok: false, head: headOf(reply) }
}

function positionArgs(position: Position | null): readonly (string | Buffer)[] {
  if (position === null) return ['', '', '']
  return [position.epoch, String(position.seq), Buffer.from(position.link)]
}

function headOf({ rest }: Reply): SealedHead | null {
  if (rest.length === 0) return null
  const [epoch, seq, link, floor, beaconAt, bytes] = rest
  return {
    epoch: textOf(epoch),
    seq: Number(textOf(seq)),
    link: bytesOf(link),
    floor: Number(textOf(floor)),
    beaconAt: Number(textOf(beaconAt)),
    bytes: bytesOf(bytes),
  }
}

function eventsOf(first: number, events: readonly unknown[]): SealedEvent[] {
  return events.map((bytes, index) => ({ seq: first + index, bytes: bytesOf(bytes) }))
}

type Checked = RedisFeedOptions & { readonly prefix: string; readonly allowEviction: boolean }

function checkOptions(given: readonly [options?: RedisFeedOptions]): Checked {
  const options = adapterOptions(given, ['prefix', 'allowEviction', 'subscriber'])
  return bare({ ...options, ...checkKeyOptions(options) })
}
