/**
 * A client that sends what it is told, byte for byte: ordinary ones mend a request before it leaves.
 *
 * @module
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TLS_CLIENT } from './servers.js'

/** What came back. */
export interface Reply {
  readonly status: number
  /** Names in lower case; of a name that came again, the values joined. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One request, of which every byte counts. */
export interface Sent {
  readonly method?: string
  readonly path?: string
  /** Whole lines. Default: none. */
  readonly headers?: readonly string[]
  readonly body?: string
}

/** Sends one request over a connection of its own. */
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
  // Latin-1 keeps each character one byte, whatever it is.
  socket.write(`${lines.join('\r\n')}\r\nconnection: close\r\n\r\n${body ?? ''}`, 'latin1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // The server may close before it has read everything: what it said until then counts.
  socket.on('error', () => undefined)
  await once(socket, 'close')
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

type Pair = readonly [name: string, value: string]

/**
 * Sends one request over HTTP/2, and answers the body. Written out frame by frame, since Node's client refuses to send a
 * header twice.
 */
export async function bodyOverHttp2(
  port: number,
  path: string,
  headers: readonly Pair[],
): Promise<string> {
  const pseudo: Pair[] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'api.example'],
    [':path', path],
  ]
  const block = Buffer.concat([...pseudo, ...headers].map(literal))
  const END_STREAM_AND_HEADERS = 0x05
  const socket = connect(port, '127.0.0.1')
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  socket.write(
    Buffer.concat([frame(SETTINGS, 0, 0), frame(HEADERS, END_STREAM_AND_HEADERS, 1, block)]),
  )
  try {
    return await readBody(socket)
  } finally {
    socket.destroy()
  }
}

const DATA = 0
const HEADERS = 1
const SETTINGS = 4
const FRAME_HEAD = 9

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** HPACK, RFC 7541, section 6.2.2: a literal field that is not indexed, without Huffman coding. */
function literal([name, value]: Pair): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)])
}

function text(value: string): Buffer {
  const length = Buffer.byteLength(value)
  const prefix = length < 127 ? [length] : [127]
  for (let rest = length - 127; rest >= 0; rest >>>= 7) {
    prefix.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from(prefix), Buffer.from(value)])
}

async function readBody(socket: Socket): Promise<string> {
  let pending = Buffer.alloc(0)
  let body = ''
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer])
    while (pending.length >= FRAME_HEAD) {
      const end = FRAME_HEAD + pending.readUIntBE(0, 3)
      if (pending.length < end) break
      const [type, flags] = [pending[3], pending[4] ?? 0]
      if (type === DATA) body += pending.subarray(FRAME_HEAD, end)
      if (type === DATA && (flags & 1) === 1) return body
      pending = pending.subarray(end)
    }
  }
  return body
}
