/**
 * Ends what is open when a token ends: a response of Node, a socket, or the body of a Web response.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WatchSignal } from '../types.js'
import { headerOf } from './incoming.js'

interface Closing {
  readonly destroyed?: boolean
  readonly closed?: boolean
  once(event: 'close', listener: () => void): unknown
}

/** Calls `end` once the token ends, unless `open` closes first. Nothing is left behind either way. */
function bind(life: WatchSignal, open: Closing, end: () => void): void {
  const release = () => {
    life.removeEventListener('abort', end)
    life[Symbol.dispose]()
  }
  if (open.destroyed === true || open.closed === true) {
    release()
    return
  }
  life.addEventListener('abort', end, { once: true })
  open.once('close', release)
}

/** Destroys a socket once the token ends. */
export function cutSocket(life: WatchSignal, socket: Duplex): void {
  bind(life, socket, () => socket.destroy())
}

/** Destroys a response once the token ends: its stream of HTTP/2, and the socket of HTTP/1 or of an upgrade. */
export function cutResponse(
  life: WatchSignal | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (life === undefined) return
  if (isUpgrade(request)) {
    cutSocket(life, request.socket)
    return
  }
  // The response of HTTP/2 has no `destroy`.
  const { stream } = response as { readonly stream?: Duplex }
  bind(life, response, () => (stream ?? response).destroy())
}

/** Whether the request asks for another protocol, such as a WebSocket. */
export const isUpgrade = ({ headers }: IncomingMessage): boolean =>
  headerOf(headers, 'upgrade') !== undefined

/** A response whose body fails once the token ends. */
export function cutBody(life: WatchSignal | undefined, response: Response): Response {
  if (life === undefined) return response
  const { body, status, statusText, headers } = response
  if (body === null) {
    life[Symbol.dispose]()
    return response
  }
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  body
    .pipeTo(writable, { signal: life })
    .catch(() => undefined)
    .finally(() => life[Symbol.dispose]())
  return new Response(readable, { status, statusText, headers })
}
