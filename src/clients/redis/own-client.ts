/**
 * Clients that an adapter makes from the caller's own, uses for itself, and throws away.
 *
 * @module
 */
import { has, isSentinel } from './client.js'

/** How long a connection of the adapter's own may say nothing to what it was asked, in milliseconds. */
export const SILENCE_MS = 2500

// A lost connection is not re-established by any of these: its user must notice and start again.
const IOREDIS = {
  lazyConnect: true,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => null,
  // The caller's own could be shorter than a blocking read.
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: SILENCE_MS,
}

/** Whether a client can make another one like itself. */
export function canDuplicate(client: object): boolean {
  return has(client, 'duplicate')
}

/** Makes a client of the same server, database and rights, not connected. */
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
  // Lost commands are detected by the silence.
  if ('masters' in client || isSentinel(client)) return make()
  const { options } = client as { readonly options?: { readonly socket?: object } }
  return make({
    disableOfflineQueue: false,
    // A cache in the process is one connection's.
    clientSideCache: undefined,
    socket: { ...options?.socket, socketTimeout: SILENCE_MS, reconnectStrategy: false },
  })
}

/** Whether it is a client of ioredis. */
export function isIoRedis(client: object): boolean {
  return has(client, 'callBuffer')
}

/** Makes sure that the loss of a connection does not end the process, for want of a listener. */
export function mute(client: object): void {
  if (has(client, 'on'))
    (client as { on(event: 'error', listener: () => void): unknown }).on('error', () => undefined)
}

/** Makes a client of the adapter's own usable. */
export async function connect(client: object): Promise<void> {
  // ioredis connects when it is first used.
  if (isIoRedis(client) || (client as { readonly isOpen?: unknown }).isOpen === true) return
  await (client as { connect(): Promise<unknown> }).connect()
}

/** Whether a client has ended, and will not come back. */
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
    // node-redis has `destroy` since version 5; what its `disconnect` does there, the former does at once.
    const ended: unknown = (isIoRedis(client) ? disconnect : (destroy ?? disconnect))?.call(client)
    Promise.resolve(ended).catch(() => undefined)
  } catch {
    // It has ended already.
  }
}
