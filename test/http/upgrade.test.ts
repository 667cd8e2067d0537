/**
 * Guarded upgrades, with real WebSocket clients and servers.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import fastifyWebsocket from '@fastify/websocket'
import { createAdaptorServer, upgradeWebSocket } from '@hono/node-server'
import fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import { WebSocket, WebSocketServer } from 'ws'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import {
  authOf,
  protectUpgrade,
  type UpgradeOptions,
  type UpgradeServer,
} from '../../src/http/node.js'
import type { TokenAuthority } from '../../src/http/options.js'
import { closeAll, type Rig, rig } from '../support/harness.js'
import { closes, eventually, type Line, openLine } from './live-client.js'

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops', scopes: ['orders:read'] }
const ACTOR = { actor: 'ops' }
const NEEDS = { scopes: ['orders:read'] }
const HANDSHAKE = [
  'connection: Upgrade',
  'upgrade: websocket',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
]

let made: Rig
let watchword: Watchword
const ends: (() => Promise<unknown>)[] = []
const lines: Line[] = []

beforeEach(async () => {
  made = await rig()
  watchword = made.watchword
})
afterEach(async () => {
  for (const line of lines.splice(0)) line.abort()
  for (const end of ends.splice(0).reverse()) await end()
  await closeAll()
})

const watched = (): number => watchword.health().connections.watched

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return (server.address() as AddressInfo).port
}

/** What a client of a WebSocket saw. */
interface Seen {
  readonly socket: WebSocket
  readonly messages: string[]
  isOpen: boolean
  /** The close code; 1006 if the connection ended without one. */
  code: number | undefined
  status: number | undefined
}

interface Dialling {
  readonly token?: string
  readonly path?: string
  readonly protocols?: readonly string[]
}

function dial(port: number, { token, path = '/', protocols = [] }: Dialling): Seen {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers })
  const seen: Seen = { socket, messages: [], isOpen: false, code: undefined, status: undefined }
  socket.on('open', () => {
    seen.isOpen = true
  })
  socket.on('message', (data: Buffer) => seen.messages.push(String(data)))
  socket.on('unexpected-response', (_request: unknown, { statusCode }: { statusCode: number }) => {
    seen.status = statusCode
    socket.terminate()
  })
  socket.on('error', () => undefined)
  socket.on('close', (code: number) => {
    seen.code = code
  })
  ends.push(async () => socket.terminate())
  return seen
}

const opens = (seen: Seen) => eventually(() => expect(seen.isOpen).toBe(true))
const ended = (seen: Seen) => eventually(() => expect(seen.code).toBe(1006))

/** A server that greets each client with the subject of its token and the path. */
async function guarded(options: UpgradeOptions = NEEDS) {
  const server = createServer((_, response) => response.end('plain'))
  const wss = new WebSocketServer({ noServer: true, handleProtocols: () => 'orders.v1' })
  const handled: string[] = []
  const remove = protectUpgrade(server, watchword, options, (request, socket, head, auth) => {
    handled.push(request.url ?? '')
    expect(authOf(request)).toBe(auth)
    if (request.url === '/none') {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      return
    }
    wss.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => undefined)
      client.send(`${auth.subject} ${request.url}`)
    })
  })
  return { server, port: await listening(server), remove, handled }
}

describe('protectUpgrade', () => {
  it('accepts clients with a token, on several paths', async () => {
    const { port, handled } = await guarded()
    const { token } = await watchword.issue(INPUT)
    const [first, second, none] = [
      dial(port, { token, path: '/a' }),
      dial(port, { token, path: '/b' }),
      dial(port, { token, path: '/none' }),
    ]
    await eventually(() => expect(first.messages).toEqual(['svc_billing /a']))
    await eventually(() => expect(second.messages).toEqual(['svc_billing /b']))
    await eventually(() => expect(none.status).toBe(404))
    expect(handled.sort()).toEqual(['/a', '/b', '/none'])
    await eventually(() => expect(watched()).toBe(2))
    first.socket.close()
    second.socket.terminate()
    await eventually(() => expect(watched()).toBe(0))
  })

  it.each([
    ['without a token', [], 401, 'Bearer realm="api"'],
    ['with an invalid token', ['authorization: Bearer x'], 401, 'error="invalid_token"'],
    [
      'with two tokens',
      ['authorization: Bearer a', 'authorization: Bearer b'],
      400,
      'invalid_request',
    ],
  ] as const)(
    'refuses a client %s with a complete response, and closes',
    async (_, headers, status, challenge) => {
      const { port, handled } = await guarded()
      const line = openLine(port, { path: '/', headers: [...HANDSHAKE, ...headers] })
      lines.push(line)
      await closes(line)
      const [head = '', body = ''] = line.text.split('\r\n\r\n')
      expect(head).toContain(`HTTP/1.1 ${status} `)
      expect(head).toContain(challenge)
      expect(head).toContain('connection: close')
      expect(head).toContain(`content-length: ${body.length}`)
      expect(JSON.parse(body)).toMatchObject({ status })
      expect(handled).toEqual([])
      expect(watched()).toBe(0)
    },
  )

  it('refuses a token that lacks a scope, or that was revoked', async () => {
    const { port } = await guarded({ scopes: ['orders:write'] })
    const { token } = await watchword.issue(INPUT)
    const narrow = dial(port, { token })
    await eventually(() => expect(narrow.status).toBe(403))
    await watchword.revoke({ token }, ACTOR)
    const revoked = dial(port, { token })
    await eventually(() => expect(revoked.status).toBe(401))
  })

  it('closes a connection when its token is revoked, and leaves that of another token', async () => {
    const { port } = await guarded()
    const [one, two] = [await watchword.issue(INPUT), await watchword.issue(INPUT)]
    const [revoked, other] = [dial(port, one), dial(port, two)]
    await Promise.all([opens(revoked), opens(other)])
    await watchword.revoke({ id: one.id }, ACTOR)
    await ended(revoked)
    expect(other.code).toBeUndefined()
    expect(watched()).toBe(1)
  })

  it('closes a connection when its token expires, but not when it is rotated', async () => {
    const { port } = await guarded()
    const { token } = await watchword.issue({ ...INPUT, ttl: '10m' })
    const seen = dial(port, { token })
    await opens(seen)
    const successor = await watchword.rotate(token, ACTOR)
    await made.clock.advance(120_000)
    expect(watchword.verify(token)).toEqual({ ok: false, code: 'superseded' })
    expect(watched()).toBe(1)
    expect(seen.code).toBeUndefined()
    await made.clock.advance(successor.expiresAt - made.clock.now())
    await ended(seen)
  })

  it('reads the token from the list of protocols, as browsers can send it', async () => {
    const getToken: UpgradeOptions['getToken'] = ({ headers }) => {
      const offered = (headers['sec-websocket-protocol'] ?? '')
        .split(',')
        .map((each) => each.trim())
      return offered.find((each) => each.startsWith('token.'))?.slice('token.'.length)
    }
    const { port } = await guarded({ ...NEEDS, getToken })
    const { token } = await watchword.issue(INPUT)
    const seen = dial(port, { protocols: ['orders.v1', `token.${token}`] })
    await opens(seen)
    expect(seen.socket.protocol).toBe('orders.v1')
    const without = dial(port, { protocols: ['orders.v1'] })
    await eventually(() => expect(without.status).toBe(401))
    await watchword.revoke({ token }, ACTOR)
    await ended(seen)
  })

  it('calls no handler and keeps nothing for a client that resets while its token is checked', async () => {
    const asked: ((token: string) => void)[] = []
    const getToken = () => new Promise<string>((resolve) => asked.push(resolve))
    const { port, handled, server } = await guarded({ ...NEEDS, getToken })
    const { token } = await watchword.issue(INPUT)
    let reset = 0
    server.on('connection', (socket) => socket.on('close', () => reset++))
    const clients = [0, 1].map(() => openLine(port, { path: '/', headers: HANDSHAKE }))
    lines.push(...clients)
    await eventually(() => expect(asked).toHaveLength(2))
    for (const client of clients) client.abort()
    await eventually(() => expect(reset).toBe(2))
    asked[0]?.(token)
    asked[1]?.('x')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(handled).toEqual([])
    expect(watched()).toBe(0)
  })

  it('refuses over a stream that is not a socket of node:net, such as one of a test', async () => {
    const { server } = await guarded()
    let text = ''
    const stream = new Duplex({
      read: () => undefined,
      write(chunk, _encoding, done) {
        text += String(chunk)
        done()
      },
    })
    const request = { headers: { upgrade: 'websocket' }, rawHeaders: [], url: '/', socket: stream }
    server.emit('upgrade', request, stream, Buffer.alloc(0))
    await eventually(() => expect(stream.writableFinished).toBe(true))
    expect(text).toMatch(/^HTTP\/1.1 401 Unauthorized\r\n/)
  })

  it('guards nothing after it was removed', async () => {
    const { server, remove } = await guarded()
    expect(server.listenerCount('upgrade')).toBe(1)
    remove()
    remove()
    expect(server.listenerCount('upgrade')).toBe(0)
  })

  it('refuses options of requests, no server, no handler, and an authority without watch', () => {
    const server = createServer()
    const handler = () => undefined
    for (const name of [
      'cut',
      'optional',
      'throwErrors',
      'rotateDue',
      'expiryHeaders',
      'property',
    ]) {
      expect(() => protectUpgrade(server, watchword, { [name]: true } as never, handler)).toThrow(
        expect.objectContaining({ message: expect.stringContaining(`options.${name}`) }),
      )
    }
    for (const none of [{}, undefined])
      expect(() => protectUpgrade(none as UpgradeServer, watchword, {}, handler)).toThrow(/server/)
    expect(() => protectUpgrade(server, watchword, {}, undefined as never)).toThrow(/handler/)
    const { authenticate, require } = watchword
    const wrapper: TokenAuthority = { authenticate, require }
    expect(() => protectUpgrade(server, wrapper, {}, handler)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    )
    expect(server.listenerCount('upgrade')).toBe(0)
  })
})

/** A server of a framework with a WebSocket route, guarded with `cut: true`. */
const ADAPTERS: readonly (readonly [string, () => Promise<number>])[] = [
  [
    'Fastify with @fastify/websocket',
    async () => {
      const app = fastify() as unknown as FastifyInstance
      await app.register(fastifyWebsocket as never)
      const onRequest = forFastify.requireToken(watchword, { ...NEEDS, cut: true })
      app.get(
        '/',
        { onRequest, websocket: true } as never,
        ((client: WebSocket, request: object) => {
          client.on('error', () => undefined)
          client.send(forFastify.authOf(request).subject)
        }) as never,
      )
      await app.listen({ port: 0, host: '127.0.0.1' })
      ends.push(() => app.close())
      return (app.server.address() as AddressInfo).port
    },
  ],
  [
    'Hono with @hono/node-server',
    async () => {
      const app = new Hono()
      const guard = forHono.requireToken(watchword, { ...NEEDS, cut: true })
      app.get(
        '/',
        guard,
        upgradeWebSocket((c) => ({
          onOpen: (_event, client) => client.send(forHono.authOf(c).subject),
        })),
      )
      const websocket = { server: new WebSocketServer({ noServer: true }) as never }
      return listening(createAdaptorServer({ fetch: app.fetch, websocket }) as Server)
    },
  ],
]

describe.each(ADAPTERS)('a WebSocket route of %s with cut: true', (_name, serve) => {
  it('accepts a client with a token, and refuses one without', async () => {
    const port = await serve()
    const { token } = await watchword.issue(INPUT)
    const seen = dial(port, { token })
    await eventually(() => expect(seen.messages).toEqual(['svc_billing']))
    const refused = dial(port, {})
    await eventually(() => expect(refused.status).toBe(401))
    seen.socket.close()
    await eventually(() => expect(watched()).toBe(0))
  })

  it('closes the connection when its token is revoked, and leaves that of another token', async () => {
    const port = await serve()
    const [one, two] = [await watchword.issue(INPUT), await watchword.issue(INPUT)]
    const [revoked, other] = [dial(port, one), dial(port, two)]
    await Promise.all([opens(revoked), opens(other)])
    expect(watched()).toBe(2)
    await watchword.revoke({ id: one.id }, ACTOR)
    await ended(revoked)
    expect(other.code).toBeUndefined()
    expect(watched()).toBe(1)
  })
})
