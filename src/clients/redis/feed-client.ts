/**
 * The caller's Redis client as one function that sends bytes and returns the reply, and temporary connections of the
 * feed that are created from it.
 *
 * @module
 */

import { WatchwordError } from '../../errors.js'
import { describeKind } from '../../lib/quote.js'
import { type Command, has, isSentinel } from './client.js'
import { canDuplicate, duplicate, isIoRedis } from './own-client.js'

/** The common methods and settings of every client. */
interface AnyClient {
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Makes a client of the same settings, not connected. */
  readonly duplicate?: (...settings: never[]) => unknown
}

/** An `ioredis` client, 5 or 6: `new Redis()` or `new Redis.Cluster()`. */
export interface IoRedisFeedClient extends AnyClient {
  readonly options?: { readonly enableAutoPipelining?: boolean | undefined }
  callBuffer(command: string, args: (string | Buffer)[]): Promise<unknown>
  pipeline?(): IoRedisPipeline
  disconnect(): void
}

/** The used part of a pipeline of `ioredis`. */
export interface IoRedisPipeline {
  callBuffer(command: string, args: (string | Buffer)[]): unknown
  exec(): Promise<readonly (readonly [error: Error | null, result: unknown])[] | null>
}

/** A `redis` (node-redis) client, 4 to 6, of `createClient()` or `createClientPool()`. */
export interface NodeRedisFeedClient extends AnyClient {
  sendCommand(args: (string | Buffer)[], options?: object): Promise<unknown>
  connect(): Promise<unknown>
}

/** A `redis` (node-redis) client of `createCluster()`. */
export interface NodeRedisFeedCluster extends AnyClient {
  readonly masters: unknown
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: (string | Buffer)[],
    options?: object,
  ): Promise<unknown>
  connect(): Promise<unknown>
}

/** A `redis` (node-redis) client of `createSentinel()`. */
export interface NodeRedisFeedSentinel extends AnyClient {
  getMasterNode(): unknown
  sendCommand(
    isReadonly: boolean | undefined,
    args: (string | Buffer)[],
    options?: object,
  ): Promise<unknown>
  connect(): Promise<unknown>
}

/** Any client that the feed can use. The one that is handed over must be connected, or connect by itself. */
export type RedisFeedClient =
  | IoRedisFeedClient
  | NodeRedisFeedClient
  | NodeRedisFeedCluster
  | NodeRedisFeedSentinel

/** Makes a client that the feed may block, and throws away: with the same server, database and rights, and new each time. */
export type Subscriber = () => RedisFeedClient | Promise<RedisFeedClient>

/** Sends one command; texts come back as buffers. */
export type BinaryCommand = Command<Buffer>

// `returnBuffers` is how version 4 is asked for buffers, the mapping of RESP's blob strings ('$') how later ones are.
const AS_BUFFERS = { returnBuffers: true, typeMapping: { 36: Buffer } }

/** Chooses, once, how commands are sent. Throws `ERR_INVALID_OPTION` for what is no client. */
export function binaryCommandOf(client: RedisFeedClient): BinaryCommand {
  // ioredis has an incompatible `sendCommand` too, so `callBuffer` is checked first.
  if (isOfIoRedis(client)) {
    // Where ioredis makes pipelines by itself, it throws at `callBuffer`, and outside of any promise.
    if (client.options?.enableAutoPipelining === true) return (_, args) => piped(client, args)
    return (_, [name, ...args]) => client.callBuffer(name, args)
  }
  if (has(client, 'sendCommand')) {
    if ('masters' in client)
      return (key, args) =>
        (client as NodeRedisFeedCluster).sendCommand(key, false, [...args], AS_BUFFERS)
    if (isSentinel(client))
      return (_, args) =>
        (client as NodeRedisFeedSentinel).sendCommand(false, [...args], AS_BUFFERS)
    return (_, args) => (client as NodeRedisFeedClient).sendCommand([...args], AS_BUFFERS)
  }
  throw new WatchwordError(
    'ERR_INVALID_OPTION',
    `client: expected a client of the package ioredis or redis, such as new Redis(), got ${describeKind(client)}`,
  )
}

async function piped(
  client: IoRedisFeedClient,
  [name, ...args]: readonly [string, ...(string | Buffer)[]],
): Promise<unknown> {
  const pipeline = client.pipeline?.()
  pipeline?.callBuffer(name, args)
  const [reply] = (await pipeline?.exec()) ?? []
  const [error, result] = reply ?? [new Error('ioredis gave no reply')]
  if (error !== null) throw error
  return result
}

function isOfIoRedis(client: RedisFeedClient): client is IoRedisFeedClient {
  return isIoRedis(client)
}

/** Chooses, once, how connections of the feed's own are made. Throws `ERR_INVALID_OPTION` when there is no way. */
export function subscriberOf(
  client: RedisFeedClient,
  subscriber: Subscriber | undefined,
): Subscriber {
  if (subscriber !== undefined) {
    if (typeof subscriber === 'function') return subscriber
    throw new WatchwordError('ERR_INVALID_OPTION', 'subscriber: expected a function')
  }
  if (!canDuplicate(client)) {
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      'subscriber: expected a function that makes a client, since this one cannot duplicate itself',
    )
  }
  return () => duplicate(client)
}

/** A reply as bytes of the caller's own. */
export function bytesOf(reply: unknown): Uint8Array {
  if (!Buffer.isBuffer(reply)) throw new Error('redis answered something that is no bytes')
  return new Uint8Array(reply)
}
