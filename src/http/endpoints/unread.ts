/**
 * Requests that are answered before their body was read to its end: the connection ends with the response.
 *
 * Node would otherwise read the rest and throw it away, for as long as a client goes on sending.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import { resolveClock, systemClock } from '../../lib/clock.js'
import { SECOND } from '../../lib/duration.js'

// A connection that is closed with unread data is reset, and a reset may overtake the response. While it lingers nothing
// is read, so that a client that is still sending sees the response and the end of the stream first.
const LINGER_MS = SECOND
const CLOCK = resolveClock(systemClock)

/** Stops reading the request, if there is more of it, and closes its connection after the response. */
export function closeIfUnread(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || response.headersSent || request.destroyed) return
  if (request.httpVersionMajor > 1) closeStream(request, response)
  else closeConnection(request, response)
}

function closeConnection(request: IncomingMessage, response: ServerResponse): void {
  // Marks the body as taken: of one that is not, Node reads the rest after the response.
  request.read(0)
  request.pause()
  // Adapters that drain an unread request resume it.
  request.resume = () => request
  response.setHeader('connection', 'close')
  lingerBeforeClose(request.socket)
}

/** Over HTTP/2 the other requests of the connection go on: the stream is reset without an error (RFC 9113, 8.1). */
function closeStream(request: IncomingMessage, response: ServerResponse): void {
  request.pause()
  const { stream } = response as unknown as Http2ServerResponse
  response.once('finish', () => stream.close())
}

/** Has Node, which calls `destroySoon` after the last response of a connection, send the end of the stream first. */
function lingerBeforeClose(socket: Socket): void {
  let isEnding = false
  socket.destroySoon = () => {
    if (isEnding) return
    isEnding = true
    socket.end()
    const timer = CLOCK.setTimer(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => timer.cancel())
  }
}
