/**
 * The caller's own Redis client as one function that sends bytes and answers them, and connections of the feed's own that
 * are made from it and thrown away.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { type Command, has } from '../../store/redis/client.js'

/** What every client can be told, and asked for. */
interface AnyClient {
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Makes a client of the same settings, not connected. */
  readonly duplicate?: (...settings: never[]) => unknown
}

/** An `ioredis` client, 5 or 6: `new Redis()` or `new Redis.Cluster()`. */
export interface IoRedisFeedClient extends AnyClient {
  callBuffer(command: string, args: (string | Buffer)[]): Promise<unknown>
  disconnect(): void
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

/** Any client that the feed can use. The one that is handed over must be connected, or connect by itself. */
export type RedisFeedClient = IoRedisFeedClient | NodeRedisFeedClient | NodeRedisFeedCluster

/** Makes a client that the feed may block, and throws away: with the same server, database and rights, and new each time. */
export type Subscriber = () => RedisFeedClient | Promise<RedisFeedClient>

/** Sends one command; texts come back as buffers. */
export type BinaryCommand = Command<Buffer>

// `returnBuffers` is how version 4 is asked for buffers, the mapping of RESP's blob strings ('$') how later ones are.
const AS_BUFFERS = { returnBuffers: true, typeMapping: { 36: Buffer } }

/** Chooses, once, how commands are sent. Throws `ERR_INVALID_OPTION` for what is no client. */
export function binaryCommandOf(client: RedisFeedClient): BinaryCommand {
  // ioredis has a `sendCommand` too, of its own kind, so `callBuffer` is looked for first.
  if (isIoRedis(client)) return (_, [name, ...args]) => client.callBuffer(name, args)
  if (has(client, 'sendCommand')) {
    if ('masters' in client) {
      return (key, args) => client.sendCommand(key, false, [...args], AS_BUFFERS)
    }
    return (_, args) => client.sendCommand([...args], AS_BUFFERS)
  }
  throw new WatchwordError(
    'ERR_INVALID_OPTION',
    'client: expected a client of the package ioredis or redis, such as `new Redis()`',
  )
}

/** How long a connection of the feed's own may say nothing to what it was asked, in milliseconds. */
export const SILENCE_MS = 2500

/** Chooses, once, how connections of the feed's own are made. Throws `ERR_INVALID_OPTION` when there is no way. */
export function subscriberOf(
  client: RedisFeedClient,
  subscriber: Subscriber | undefined,
): Subscriber {
  if (subscriber !== undefined) {
    if (typeof subscriber === 'function') return subscriber
    throw new WatchwordError('ERR_INVALID_OPTION', 'subscriber: expected a function')
  }
  if (!has(client, 'duplicate')) {
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      'subscriber: expected a function that makes a client, since this one cannot duplicate itself',
    )
  }
  return () => duplicate(client)
}

// A connection that is lost is not made again, by any of these: whoever used it must know, and start anew.
const IOREDIS = {
  lazyConnect: true,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => null,
  // The caller's own could be shorter than a blocking read.
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: SILENCE_MS,
}

function duplicate(client: RedisFeedClient): RedisFeedClient {
  const make = (...settings: unknown[]) =>
    (client.duplicate as (...settings: unknown[]) => RedisFeedClient)(...settings)
  if (isIoRedis(client)) {
    const isCluster = (client as { readonly isCluster?: unknown }).isCluster === true
    if (!isCluster) return make(IOREDIS)
    const { retryStrategy: clusterRetryStrategy, lazyConnect } = IOREDIS
    return make([], { lazyConnect, clusterRetryStrategy, redisOptions: IOREDIS })
  }
  if ('masters' in client) return make()
  const { options } = client as { readonly options?: { readonly socket?: object } }
  return make({
    disableOfflineQueue: false,
    // A cache in the process is one connection's.
    clientSideCache: undefined,
    socket: { ...options?.socket, socketTimeout: SILENCE_MS, reconnectStrategy: false },
  })
}

function isIoRedis(client: RedisFeedClient): client is IoRedisFeedClient {
  return has(client, 'callBuffer')
}

/** Makes a client of the feed's own usable. */
export async function connect(client: RedisFeedClient): Promise<void> {
  // ioredis connects when it is first used.
  if (isIoRedis(client) || (client as { readonly isOpen?: unknown }).isOpen === true) return
  await client.connect()
}

/** Ends a client of the feed's own for good, whatever state it is in. */
export function discard(client: RedisFeedClient): void {
  const { destroy, disconnect } = client as {
    readonly destroy?: () => void
    readonly disconnect?: () => unknown
  }
  try {
    // node-redis has `destroy` since version 5; what its `disconnect` does there, the former does at once.
    const ended: unknown = (isIoRedis(client) ? disconnect : (destroy ?? disconnect))?.call(client)
    Promise.resolve(ended).catch(() => undefined)
  } catch {
    // It has ended already.
  }
}

/** A reply as bytes of the caller's own. */
export function bytesOf(reply: unknown): Uint8Array {
  if (!Buffer.isBuffer(reply)) throw new Error('redis answered something that is no bytes')
  return new Uint8Array(reply)
}
