/**
 * Clients that an adapter creates from the caller's own, uses itself, and closes.
 *
 * @module
 */
import { has, isSentinel } from './client.js'

/** How long the adapter's own connection may leave a request without a reply, in milliseconds. */
export const SILENCE_MS = 2500

// None of these reconnect: the user of a lost connection must notice and start again.
const IOREDIS = {
  lazyConnect: true,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => null,
  // The caller's timeout could be shorter than a blocking read.
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: SILENCE_MS,
}

/** Whether a client can duplicate itself. */
export function canDuplicate(client: object): boolean {
  return has(client, 'duplicate')
}

/** Creates an unconnected client for the same server, database and rights. */
export function duplicate<C extends object>(client: C): C {
  const make = (...settings: unknown[]): C =>
    (client as { duplicate(...settings: unknown[]): C }).duplicate(...settings)
  if (isIoRedis(client)) {
    const isCluster = (client as { readonly isCluster?: unknown }).isCluster === true
    if (!isCluster) return make(IOREDIS)
    const { retryStrategy: clusterRetryStrategy, lazyConnect, enableAutoPipelining } = IOREDIS
    const settings = { lazyConnect, enableAutoPipelining, clusterRetryStrategy }
    return make([], { ...settings, redisOptions: IOREDIS })
  }
  // A missing reply reveals lost commands.
  if ('masters' in client || isSentinel(client)) return make()
  const { options } = client as { readonly options?: { readonly socket?: object } }
  return make({
    disableOfflineQueue: false,
    // A client-side cache belongs to one connection.
    clientSideCache: undefined,
    socket: { ...options?.socket, socketTimeout: SILENCE_MS, reconnectStrategy: false },
  })
}

/** How to create clients for the same server; `undefined` if the client cannot duplicate itself. */
export function duplicator<C extends object>(client: C): (() => C) | undefined {
  return canDuplicate(client) ? () => duplicate(client) : undefined
}

/** Whether it is a client of ioredis. */
export function isIoRedis(client: object): boolean {
  return has(client, 'callBuffer')
}

/** Adds a listener for `error`: without one, losing a connection would end the process. */
export function mute(client: object): void {
  if (has(client, 'on'))
    (client as { on(event: 'error', listener: () => void): unknown }).on('error', () => undefined)
}

/** Connects a client created by the adapter. */
export async function connect(client: object): Promise<void> {
  // ioredis connects when it is first used.
  if (isIoRedis(client) || (client as { readonly isOpen?: unknown }).isOpen === true) return
  await (client as { connect(): Promise<unknown> }).connect()
}

/** Whether a client has ended permanently. */
export function hasEnded(client: object): boolean {
  const { status, isOpen } = client as { readonly status?: unknown; readonly isOpen?: unknown }
  return status === 'end' || isOpen === false
}

/** Permanently closes a client created by the adapter, in any state. */
export function discard(client: object): void {
  const { destroy, disconnect } = client as {
    readonly destroy?: () => unknown
    readonly disconnect?: () => unknown
  }
  try {
    // node-redis has `destroy` since version 5, which ends at once; `disconnect` of older versions does the same.
    const ended: unknown = (isIoRedis(client) ? disconnect : (destroy ?? disconnect))?.call(client)
    Promise.resolve(ended).catch(() => undefined)
  } catch {
    // It has already ended.
  }
}
