/**
 * Endless bodies: the endpoints respond, stop reading, and close the connection.
 *
 * @module
 */
import { once } from 'node:events'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import { closeAll, rig } from '../support/harness.js'
import { send } from './client.js'
import { ENDPOINT_FRAMEWORKS, type EndpointFramework, PATHS } from './endpoints-servers.js'

const FORM = 'content-type: application/x-www-form-urlencoded'
const CHUNK = Buffer.alloc(64 * 1024, 'a')
// The limit of the form, the buffers of Node's streams, and those of the kernel on both ends.
const MOST_BYTES = 16 * 1024 * 1024

let watchword: Watchword
beforeAll(async () => {
  watchword = (await rig()).watchword
})
afterAll(closeAll)

/** Sends until the server stops reading; resolves with its reply, and with the number of bytes sent. */
async function flood(port: number, head: readonly string[], isChunked: boolean) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let said = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  pour(socket, isChunked)
  await closed(socket)
  return { said, sent: socket.bytesWritten }
}

// `once` would reject on an error, and a reset connection is one.
const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

function pour(socket: Socket, isChunked: boolean): void {
  const chunk = isChunked
    ? Buffer.concat([Buffer.from(`${CHUNK.length.toString(16)}\r\n`), CHUNK, Buffer.from('\r\n')])
    : CHUNK
  const more = () => {
    while (!socket.destroyed && socket.bytesWritten < 4 * MOST_BYTES && socket.write(chunk));
  }
  socket.on('drain', more)
  more()
}

const served = async (framework: EndpointFramework, use: (port: number) => Promise<void>) => {
  const server = await framework.serve({ authority: watchword })
  try {
    await use(server.port)
  } finally {
    await server.close()
  }
}

// Concurrently, since each waits for the second that a connection is kept half open.
describe.concurrent.each(ENDPOINT_FRAMEWORKS)('$name', (framework) => {
  const head = (method: string, path: string, ...more: readonly string[]) => [
    `${method} ${path} HTTP/1.1`,
    'host: api.example',
    FORM,
    ...more,
  ]

  it.each([
    ['of unknown length', 'POST', 413, ['transfer-encoding: chunked'], true],
    ['of a length beyond the limit', 'POST', 413, ['content-length: 99999999999'], false],
    ['of a method that is rejected', 'PUT', 405, ['transfer-encoding: chunked'], true],
  ] as const)(
    'stops reading a body %s and closes the connection',
    async (_name, method, status, headers, isChunked) => {
      await served(framework, async (port) => {
        const floods = Object.values(PATHS).map((path) =>
          flood(port, head(method, path, ...headers), isChunked),
        )
        for (const { said, sent } of await Promise.all(floods)) {
          expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
          expect(said.toLowerCase()).toContain('connection: close')
          expect(sent).toBeLessThan(MOST_BYTES)
        }
      })
    },
  )

  it('keeps the connection of a request that was read completely', async () => {
    await served(framework, async (port) => {
      const socket = connect(port, '127.0.0.1')
      let said = ''
      socket.setEncoding('latin1')
      const request = `${head('POST', PATHS.leak, 'content-length: 7').join('\r\n')}\r\n\r\ntoken=x`
      for (const count of [1, 2, 3]) {
        socket.write(request)
        while ((said.match(/HTTP\/1\.1 200/g)?.length ?? 0) < count) {
          const [text] = (await once(socket, 'data')) as [string]
          said += text
        }
      }
      expect(said.toLowerCase()).not.toContain('connection: close')
      socket.destroy()
    })
  })

  it('survives clients that disconnect in the middle of a body', async () => {
    await served(framework, async (port) => {
      for (const length of [0, 3, 40_000]) {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined)
        await once(socket, 'connect')
        const lines = head('POST', PATHS.leak, 'content-length: 50000')
        socket.write(`${lines.join('\r\n')}\r\n\r\n${'a'.repeat(length)}`, () => socket.destroy())
        await closed(socket)
      }
      const body = 'token=x'
      const sent = { method: 'POST', path: PATHS.leak, headers: [FORM], body }
      expect((await send(port, sent)).status).toBe(200)
    })
  })
})

describe('over HTTP/2', () => {
  it('stops reading the stream, and the connection stays open', async () => {
    const app = fastify({ http2: true })
    await app.register(forFastify.tokenEndpoints(watchword).leak(), { prefix: PATHS.leak })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const hono = new Hono().all(PATHS.leak, forHono.tokenEndpoints(watchword).leak())
    const listener = getRequestListener(hono.fetch)
    const server = createHttp2Server((...exchange) => void listener(...exchange))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    for (const { port } of [app.server.address(), server.address()] as AddressInfo[]) {
      const client = connectHttp2(`http://127.0.0.1:${port}`)
      for (let i = 0; i < 2; i++) {
        const stream = client.request({
          ':method': 'POST',
          ':path': PATHS.leak,
          'content-type': 'application/x-www-form-urlencoded',
        })
        stream.on('error', () => undefined)
        const more = () => {
          while (!stream.destroyed && !stream.writableEnded && stream.write(CHUNK));
        }
        stream.on('drain', more)
        more()
        const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
        expect(headers[':status']).toBe(413)
        stream.resume()
        await once(stream, 'end')
        stream.destroy()
      }
      expect(client.socket?.bytesWritten).toBeLessThan(MOST_BYTES)
      client.destroy()
    }
    await app.close()
    await new Promise((resolve) => server.close(resolve))
  })
})
