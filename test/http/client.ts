/**
 * A client that sends its input byte for byte, since ordinary clients fix a request before sending it.
 *
 * @module
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TLS_CLIENT } from './servers.js'

/** The response. */
export interface Reply {
  readonly status: number
  /** Names in lower case; the values of a repeated name are joined. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One request, in which every byte counts. */
export interface Sent {
  readonly method?: string
  readonly path?: string
  /** Whole lines. Default: none. */
  readonly headers?: readonly string[]
  readonly body?: string
}

/** Sends one request over a separate connection. */
export function send(port: number, sent: Sent): Promise<Reply> {
  return exchange(connect(port, '127.0.0.1'), sent)
}

/** Sends one request over TLS. */
export function sendSecure(port: number, sent: Sent): Promise<Reply> {
  return exchange(connectTls({ ...TLS_CLIENT, port, host: '127.0.0.1' }), sent)
}

async function exchange(
  socket: Socket,
  { method = 'GET', path = '/orders', headers = [], body }: Sent,
): Promise<Reply> {
  const length = body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  const lines = [`${method} ${path} HTTP/1.1`, 'host: api.example', ...length, ...headers]
  // Latin-1 keeps each character one byte.
  socket.write(`${lines.join('\r\n')}\r\nconnection: close\r\n\r\n${body ?? ''}`, 'latin1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // The server may close before it has read everything: what it sent until then counts.
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  return parse(Buffer.concat(chunks).toString('latin1'))
}

function parse(text: string): Reply {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const body = text.slice(end + 4)
  return {
    status: Number(first.split(' ')[1]),
    headers,
    body: headers['transfer-encoding'] === 'chunked' ? unchunk(body) : body,
  }
}

function unchunk(text: string): string {
  let body = ''
  let rest = text
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, line), 16)
    if (!(size > 0)) return body
    body += rest.slice(line + 2, line + 2 + size)
    rest = rest.slice(line + 2 + size + 2)
  }
}
