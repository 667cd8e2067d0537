/**
 * Ends what is open when a token ends: a response of Node, a socket, or the body of a Web response.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WatchSignal } from '../types.js'

interface Open {
  readonly destroyed?: boolean
  readonly closed?: boolean
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

/** Destroys what is open once the token ends. Returns what to call as soon as it has closed. */
function bind(life: WatchSignal, open: Open): () => void {
  const end = () => void open.destroy()
  life.addEventListener('abort', end, { once: true })
  return () => {
    life.removeEventListener('abort', end)
    life[Symbol.dispose]()
  }
}

/** Destroys a socket, a stream or a response once the token ends, and leaves nothing behind if it closes before. */
function cut(life: WatchSignal, open: Open): void {
  const release = bind(life, open)
  if (open.destroyed === true || open.closed === true) release()
  else open.once('close', release)
}

/** Destroys a socket once the token ends. */
export function cutSocket(life: WatchSignal, socket: Duplex): void {
  cut(life, socket)
}

/** Destroys a response once the token ends: its stream of HTTP/2, and the socket of HTTP/1 or of an upgrade. */
export function cutResponse(
  life: WatchSignal | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (life === undefined) return
  // An upgrade may have no response.
  if (isUpgrade(request)) {
    cut(life, request.socket)
    return
  }
  // The response of HTTP/2 has no `destroy`, and does not close if its stream did before.
  const { stream } = response as { readonly stream?: Duplex }
  if (stream !== undefined) cut(life, stream)
  else if (response.socket === null && !response.closed) cutWaiting(life, request.socket, response)
  else cut(life, response)
}

/** What to call once a connection has closed. One listener is enough for any number of requests. */
const waiting = new WeakMap<Duplex, Set<() => void>>()

/** A response that waits behind another on its connection. Node does not close it with the connection. */
function cutWaiting(life: WatchSignal, socket: Duplex, response: ServerResponse): void {
  const unbind = bind(life, response)
  const releases = releasesOf(socket)
  const release = () => {
    releases.delete(release)
    unbind()
  }
  releases.add(release)
  response.once('close', release)
  if (socket.destroyed) release()
}

function releasesOf(socket: Duplex): Set<() => void> {
  const known = waiting.get(socket)
  if (known !== undefined) return known
  const releases = new Set<() => void>()
  waiting.set(socket, releases)
  socket.once('close', () => {
    for (const release of [...releases]) release()
  })
  return releases
}

/**
 * Whether the server accepted that the request changes to another protocol, such as a WebSocket. Not whether the client
 * asks for it: Node serves an unknown protocol as an ordinary request, on a connection that outlives the response.
 */
export const isUpgrade = (request: IncomingMessage): boolean =>
  (request as { readonly upgrade?: unknown }).upgrade === true

/**
 * Runs a handler of Web requests, and ends its response with the token: before the handler has returned, with the
 * response of `refuse`; later, by an error in its body.
 */
export function cutHandler(
  life: WatchSignal,
  { signal, method }: Request,
  run: () => Promise<Response>,
  refuse: () => Response,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const end = () => {
      release()
      resolve(refuse())
    }
    const release = () => {
      signal.removeEventListener('abort', release)
      life.removeEventListener('abort', end)
      life[Symbol.dispose]()
    }
    life.addEventListener('abort', end)
    // Runtimes abort this signal when the client disconnects.
    signal.addEventListener('abort', release)
    if (signal.aborted) release()
    const settle = (response: Response): void => {
      life.removeEventListener('abort', end)
      // A body that is never read, as of a response to HEAD, would hold the watch.
      if (method === 'HEAD' || response.body === null) release()
      resolve(method === 'HEAD' ? response : cutBody(life, response, release))
    }
    run()
      .then(settle)
      .catch((error: unknown) => {
        release()
        reject(error)
      })
  })
}

/** A response whose body fails once the token ends. */
function cutBody(life: WatchSignal, response: Response, release: () => void): Response {
  const { body, status, statusText, headers } = response
  if (body === null) return response
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  // Cancels the handler's body if the token has ended already.
  body
    .pipeTo(writable, { signal: life })
    .catch(() => undefined)
    .finally(release)
  return new Response(readable, { status, statusText, headers })
}
