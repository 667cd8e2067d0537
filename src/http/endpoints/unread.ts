/**
 * Handles requests whose response is sent before the body was fully read: the connection closes after the response.
 *
 * Otherwise Node would read and discard the rest for as long as a client keeps sending.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import { resolveClock, systemClock } from '../../lib/clock.js'
import { SECOND } from '../../lib/duration.js'

// Closing a connection with unread data resets it, and the reset may overtake the response. Nothing is read during this
// linger, so a client that is still sending first receives the response and the end of the stream.
const LINGER_MS = SECOND
const CLOCK = resolveClock(systemClock)

/** Stops reading the request, if data remains, and closes its connection after the response. */
export function closeIfUnread(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || response.headersSent || request.destroyed) return
  if (request.httpVersionMajor > 1) closeStream(request, response)
  else closeConnection(request, response)
}

function closeConnection(request: IncomingMessage, response: ServerResponse): void {
  // Marks the body as consumed. Otherwise Node reads the rest after the response.
  request.read(0)
  request.pause()
  // Adapters that drain an unread request resume it.
  request.resume = () => request
  response.setHeader('connection', 'close')
  lingerBeforeClose(request.socket)
}

/** Over HTTP/2 other requests of the connection continue: the stream is reset without an error (RFC 9113, 8.1). */
function closeStream(request: IncomingMessage, response: ServerResponse): void {
  request.pause()
  const { stream } = response as unknown as Http2ServerResponse
  response.once('finish', () => stream.close())
}

/** Sends the end of the stream first: Node calls `destroySoon` after the last response of a connection. */
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
