/**
 * The caller's Redis client as one function that sends bytes and returns the reply, and temporary connections that the
 * feed creates from it.
 *
 * @module
 */

import { describeClient } from '../../lib/foreign-client.js'
import { invalidOption } from '../../lib/invalid.js'
import { type Command, has, isSentinel } from './client.js'
import { canDuplicate, duplicate, isIoRedis } from './own-client.js'

/** The common methods and settings of every client. */
interface AnyClient {
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Creates an unconnected client with the same settings. */
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

/** Any client that the feed can use. It must be connected, or connect automatically. */
export type RedisFeedClient =
  | IoRedisFeedClient
  | NodeRedisFeedClient
  | NodeRedisFeedCluster
  | NodeRedisFeedSentinel

/**
 * Creates a client that the feed may block and then closes: a new one each time, with the same server, database and
 * rights.
 */
export type Subscriber = () => RedisFeedClient | Promise<RedisFeedClient>

/** Sends one command; text is returned as buffers. */
export type BinaryCommand = Command<Buffer>

// Version 4 returns buffers with `returnBuffers`; later versions map RESP's blob strings ('$') to them.
const AS_BUFFERS = { returnBuffers: true, typeMapping: { 36: Buffer } }

/** Chooses once how commands are sent. Throws `ERR_INVALID_OPTION` if the value is not a client. */
export function binaryCommandOf(client: RedisFeedClient): BinaryCommand {
  // ioredis has an incompatible `sendCommand` too, so `callBuffer` is checked first.
  if (isOfIoRedis(client)) {
    // With automatic pipelining, `callBuffer` of ioredis throws outside of any promise.
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
  throw invalidOption(
    'client',
    `expected a client of the package ioredis or redis, such as new Redis(), got ${describeClient(client)}`,
  )
}

async function piped(
  client: IoRedisFeedClient,
  [name, ...args]: readonly [string, ...(string | Buffer)[]],
): Promise<unknown> {
  const pipeline = client.pipeline?.()
  pipeline?.callBuffer(name, args)
  const replies = await pipeline?.exec()
  const [error, result] = replies?.[0] ?? [new Error('ioredis gave no reply')]
  if (error !== null) throw error
  return result
}

function isOfIoRedis(client: RedisFeedClient): client is IoRedisFeedClient {
  return isIoRedis(client)
}

/** Chooses once how the feed creates its own connections. Throws `ERR_INVALID_OPTION` if it cannot. */
export function subscriberOf(
  client: RedisFeedClient,
  subscriber: Subscriber | undefined,
): Subscriber {
  if (subscriber !== undefined) {
    if (typeof subscriber === 'function') return subscriber
    throw invalidOption('subscriber', 'expected a function')
  }
  if (!canDuplicate(client)) {
    throw invalidOption(
      'subscriber',
      'expected a function that makes a client, since this one cannot duplicate itself',
    )
  }
  return () => duplicate(client)
}

/** A reply as a copy of its bytes. */
export function bytesOf(reply: unknown): Uint8Array {
  if (!Buffer.isBuffer(reply)) throw new Error('redis returned a reply that is not bytes')
  return new Uint8Array(reply)
}
