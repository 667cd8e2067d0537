/**
 * Requests over HTTP/2, without TLS.
 *
 * @module
 */
import { once } from 'node:events'
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { Reply, Sent } from './client.js'

/** Sends one request over a separate session. For a repeated header see `bodyOverHttp2`. */
export async function sendOverHttp2(
  port: number,
  { method = 'GET', path = '/orders', headers = [], body }: Sent,
): Promise<Reply> {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  try {
    const stream = session.request({
      ':method': method,
      ':path': path,
      ':authority': 'api.example',
      ...Object.fromEntries(headers.map(pairOf)),
    })
    stream.end(body)
    const [fields] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    stream.setEncoding('latin1')
    let text = ''
    for await (const chunk of stream) text += chunk
    const { ':status': status, ...rest } = fields
    const list = Object.entries(rest).map(([name, value]) => [name, String(value)] as const)
    return { status: Number(status), headers: Object.fromEntries(list), body: text }
  } finally {
    session.destroy()
  }
}

/** A header line as a pair for HTTP/2: the name in lower case, the value without surrounding white space. */
function pairOf(line: string): Pair {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}

type Pair = readonly [name: string, value: string]

/**
 * Sends one request over HTTP/2, and returns the body. Written frame by frame, since Node's client refuses to send a
 * header twice.
 */
export async function bodyOverHttp2(
  port: number,
  { method = 'GET', path = '/orders', headers = [] }: Sent,
): Promise<string> {
  const pseudo: Pair[] = [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'api.example'],
    [':path', path],
  ]
  const block = Buffer.concat([...pseudo, ...headers.map(pairOf)].map(literal))
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
  return Buffer.concat([Buffer.from(prefix), Buffer.from(value, 'latin1')])
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
