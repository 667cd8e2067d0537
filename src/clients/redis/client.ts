/**
 * The caller's own Redis client, from any supported library, as one function that sends a command.
 *
 * @module
 */

import { describeClient } from '../../lib/foreign-client.js'
import { invalidOption } from '../../lib/invalid.js'

/** An `ioredis` client, 5 or 6: `new Redis()` or `new Redis.Cluster()`. */
export interface IoRedisClient {
  call(command: string, args: string[]): Promise<unknown>
}

/** A `redis` (node-redis) client, 4 to 6, of `createClient()` or `createClientPool()`, connected. */
export interface NodeRedisClient {
  sendCommand(args: string[]): Promise<unknown>
}

/** A `redis` (node-redis) client of `createCluster()`, connected. */
export interface NodeRedisCluster {
  readonly masters: unknown
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
  ): Promise<unknown>
}

/** A `redis` (node-redis) client of `createSentinel()`, connected. */
export interface NodeRedisSentinel {
  getMasterNode(): unknown
  sendCommand(isReadonly: boolean | undefined, args: string[]): Promise<unknown>
}

/** Any client that the store can use. */
export type RedisClient = IoRedisClient | NodeRedisClient | NodeRedisCluster | NodeRedisSentinel

/** Sends one command that names `key`, and resolves with the client's reply. */
export type Command<Argument = string> = (
  key: string,
  args: readonly [string, ...(string | Argument)[]],
) => Promise<unknown>

/** Chooses once how commands are sent. Throws `ERR_INVALID_OPTION` if the value is not a client. */
export function commandOf(client: RedisClient): Command {
  // ioredis has an incompatible `sendCommand` too, so `call` is checked first.
  if (has(client, 'call')) {
    return (_, [name, ...args]) => (client as IoRedisClient).call(name, args)
  }
  if (has(client, 'sendCommand')) {
    if ('masters' in client) {
      return (key, args) => (client as NodeRedisCluster).sendCommand(key, false, [...args])
    }
    if (isSentinel(client))
      return (_, args) => (client as NodeRedisSentinel).sendCommand(false, [...args])
    return (_, args) => (client as NodeRedisClient).sendCommand([...args])
  }
  throw invalidOption(
    'client',
    `expected a client of the package ioredis or redis, such as new Redis(), got ${describeClient(client)}`,
  )
}

/** Whether it is a client of `createSentinel()`. */
export function isSentinel(client: unknown): boolean {
  return has(client, 'getMasterNode')
}

/** Whether a client has a method. */
export function has(client: unknown, method: string): boolean {
  return (
    typeof client === 'object' &&
    client !== null &&
    typeof (client as Record<string, unknown>)[method] === 'function'
  )
}
