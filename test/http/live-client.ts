/**
 * A client that keeps a response open, and sees when the server ends it.
 *
 * @module
 */
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { expect, vi } from 'vitest'

/** One open exchange. */
export interface Line {
  /** What the server has sent: the whole response for HTTP/1, the body for HTTP/2. */
  readonly text: string
  /** Whether the response is over, or its connection. */
  readonly isClosed: boolean
  /** Breaks the connection. */
  abort(): void
}

export interface LineRequest {
  readonly path?: string
  readonly token?: string
  readonly headers?: readonly string[]
  readonly method?: string
}

/** Waits until a check passes; a test never fails because the machine is slow. */
export const eventually = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 100_000, interval: 5 })

/** Opens an exchange of HTTP/1, byte for byte; several requests are pipelined. */
export function openLine(
  port: number,
  ...requests: readonly LineRequest[]
): Line & { send(request: LineRequest): void } {
  const socket = connect(port, '127.0.0.1')
  const line = {
    text: '',
    isClosed: false,
    abort: () => void socket.resetAndDestroy(),
    send({ method = 'GET', path = '/events', token, headers = [] }: LineRequest) {
      const fields = [`${method} ${path} HTTP/1.1`, 'host: api.example', ...headers]
      if (token !== undefined) fields.push(`authorization: Bearer ${token}`)
      socket.write(`${fields.join('\r\n')}\r\n\r\n`)
    },
  }
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    line.text += text
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    line.isClosed = true
  })
  for (const request of requests) line.send(request)
  return line
}

/** Opens an exchange of HTTP/2, over a session of its own. */
export function openHttp2Line(
  port: number,
  { method = 'GET', path = '/events', token }: LineRequest,
): Line {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  const stream = session.request({
    ':method': method,
    ':path': path,
    ':authority': 'api.example',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  })
  const line = { text: '', isClosed: false, abort: () => session.destroy() }
  stream.setEncoding('latin1')
  stream.on('data', (text: string) => {
    line.text += text
  })
  session.on('error', () => undefined)
  stream.on('error', () => undefined)
  stream.on('close', () => {
    line.isClosed = true
    session.destroy()
  })
  stream.end()
  return line
}

/** Waits for a text from the server. */
export const reads = (line: Line, text: string): Promise<void> =>
  eventually(() => expect(line.text).toContain(text))

/** Waits for the end of the exchange. */
export const closes = (line: Line): Promise<void> =>
  eventually(() => expect(line.isClosed).toBe(true))
