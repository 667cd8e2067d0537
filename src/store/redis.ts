/**
 * A store in Redis 7 or Valkey, over the caller's own client.
 *
 * Every call runs one or a few Lua scripts. Each script is one atomic step of at most a thousand rows. All keys share
 * one hash tag, so a cluster keeps them on one node. No key has a TTL.
 *
 * A revocation is stored in one step, and from then on covers its tokens for every reader and writer. Their rows are
 * marked in batches by the same call. If it ends early, the next revocation or purge continues.
 *
 * @module
 */

import { commandOf, type RedisClient } from '../clients/redis/client.js'
import { checkKeyOptions } from '../clients/redis/options.js'
import { duplicator } from '../clients/redis/own-client.js'
import { scriptRunner } from '../clients/redis/script.js'
import { redisIdentity, redisNow } from '../clients/redis/server.js'
import { Standby } from '../clients/redis/standby.js'
import { adapterOptions } from '../lib/adapter-options.js'
import { auditMethods } from './redis/audit.js'
import { openStore } from './redis/open.js'
import { restrictionMethods } from './redis/restrictions.js'
import { otherMethods } from './redis/revocations.js'
import { tokenMethods } from './redis/tokens.js'
import { usageMethods } from './redis/usage.js'
import type { Store } from './store.js'

export type {
  IoRedisClient,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisClient,
} from '../clients/redis/client.js'

/** The options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** Prefix of every key: letters, digits, `.`, `_` and `-`, at most 64. Default: `'watchword'`. */
  readonly prefix?: string
  /** Whether to accept a server that may evict keys when memory is full (`maxmemory-policy`). Default: `false`. */
  readonly allowEviction?: boolean
}

/**
 * A store in Redis. The caller owns the client: the store adds no listener to it and never closes it. Data is as
 * durable as the server's persistence: use `appendonly yes`. Set `enableOfflineQueue: false` (ioredis) or
 * `disableOfflineQueue: true` (node-redis), so commands fail while the server is down instead of being sent late. While
 * the client's connection is silent but still open, the store uses its own, created by `duplicate()`.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis'
 * import { redisStore } from 'watchword/store/redis'
 *
 * const redis = new Redis({ lazyConnect: true, maxRetriesPerRequest: 1 })
 * const store = redisStore(redis, { prefix: 'tokens' })
 * console.log(store.name, store.supports.durable)
 * redis.disconnect()
 * ```
 */
export function redisStore(
  client: RedisClient,
  ...given: readonly [options?: RedisStoreOptions]
): Store {
  const options = adapterOptions(given, ['prefix', 'allowEviction'])
  const { prefix, allowEviction } = checkKeyOptions(options)
  let closed = false
  const standby = new Standby<RedisClient, string>({
    command: commandOf(client),
    create: duplicator(client),
    commandOf,
    onSilence: () => undefined,
  })
  const run = scriptRunner(standby.command, prefix, () => closed)
  return {
    name: 'redis',
    supports: { durable: true },
    open: () => openStore(run, allowEviction),
    close: async () => {
      closed = true
      standby.close()
    },
    ...tokenMethods(run),
    ...otherMethods(run),
    usage: usageMethods(run),
    restrictions: restrictionMethods(run),
    audit: auditMethods(run),
    now: () => redisNow(run),
    identity: () => redisIdentity(run),
  }
}
