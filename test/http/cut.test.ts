/**
 * Guards with `cut: true`, over real servers: an open response ends with its token, and nothing is left of any other.
 *
 * @module
 */
import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import * as forNode from '../../src/http/node.js'
import type { TokenAuthority, TokenOptions } from '../../src/http/options.js'
import { protect } from '../../src/http/web.js'
import { closeAll, type Rig, rig } from '../support/harness.js'
import {
  closes,
  eventually,
  type Line,
  type LineRequest,
  openHttp2Line,
  openLine,
  reads,
} from './live-client.js'
import { LIVE_FRAMEWORKS, type LiveFramework, type LiveServer } from './live-servers.js'

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops', scopes: ['orders:read'] }
const ACTOR = { actor: 'ops' }

let made: Rig
let watchword: Watchword
const ends: (() => Promise<void>)[] = []
const lines: Line[] = []

beforeEach(async () => {
  made = await rig()
  watchword = made.watchword
})
afterEach(async () => {
  for (const line of lines.splice(0)) line.abort()
  for (const end of ends.splice(0)) await end()
  await closeAll()
})

const tokenOf = async (): Promise<string> => (await watchword.issue(INPUT)).token
const watched = (): number => watchword.health().connections.watched

interface Site {
  readonly server: LiveServer
  open(request: LineRequest): Line
}

async function serve(
  framework: LiveFramework,
  options?: TokenOptions<unknown>,
  authority: TokenAuthority = watchword,
): Promise<Site> {
  const server = await framework.serve(authority, options)
  ends.push(server.close)
  return {
    server,
    open(request) {
      const line = (framework.http2 ? openHttp2Line : openLine)(server.port, request)
      lines.push(line)
      return line
    },
  }
}

describe.each(LIVE_FRAMEWORKS.map((framework) => [framework.name, framework] as const))(
  'cut: true in %s',
  (_name, framework) => {
    it('closes an event stream when its token is revoked, and leaves that of another token', async () => {
      const { server, open } = await serve(framework)
      const [first, second] = [await tokenOf(), await tokenOf()]
      const [revoked, other] = [open({ token: first }), open({ token: second })]
      await Promise.all([reads(revoked, 'hello'), reads(other, 'hello')])
      expect(watched()).toBe(2)
      await watchword.revoke({ token: first }, ACTOR)
      await closes(revoked)
      expect(other.isClosed).toBe(false)
      await eventually(() => expect(watched()).toBe(1))
      const reasons = server.signals.map((signal) => signal?.reason as unknown)
      expect(reasons).toContainEqual({ ok: false, code: 'revoked' })
      expect(reasons).toContain(undefined)
    })

    it('closes a long poll that has sent nothing when its token is revoked', async () => {
      const { server, open } = await serve(framework)
      const token = await tokenOf()
      const poll = open({ path: '/poll', token })
      await eventually(() => expect(server.signals).toHaveLength(1))
      expect(poll.text).toBe('')
      await watchword.revoke({ token }, ACTOR)
      await eventually(() => expect(poll.isClosed || poll.text.includes(' 401 ')).toBe(true))
      expect(poll.text).not.toContain(' 200 ')
      expect(watched()).toBe(0)
    })

    it.each(['GET', 'HEAD'])('leaves nothing after a response to %s has ended', async (method) => {
      const { server, open } = await serve(framework)
      const token = await tokenOf()
      for (let i = 0; i < 3; i++) open({ path: '/short', token, method })
      await eventually(() => expect(server.signals).toHaveLength(3))
      await eventually(() => expect(watched()).toBe(0))
      for (const signal of server.signals) {
        expect(getEventListeners(signal as EventTarget, 'abort')).toEqual([])
      }
      await watchword.revoke({ token }, ACTOR)
      expect(server.signals.map((signal) => signal?.aborted)).toEqual([false, false, false])
    })

    it.each(['/events', '/poll'])(
      'leaves nothing of a client of %s that disconnects',
      async (path) => {
        const { server, open } = await serve(framework)
        const line = open({ path, token: await tokenOf() })
        await eventually(() => expect(server.signals).toHaveLength(1))
        if (path === '/events') await reads(line, 'hello')
        expect(watched()).toBe(1)
        line.abort()
        await eventually(() => expect(watched()).toBe(0))
        await eventually(() =>
          expect(getEventListeners(server.signals[0] as EventTarget, 'abort')).toEqual([]),
        )
        expect(server.signals[0]?.aborted).toBe(false)
      },
    )

    it('leaves nothing of a client that disconnects while its token is checked', async () => {
      let pass: (token: string) => void = () => undefined
      let isAsked = false
      const getToken = () => {
        isAsked = true
        return new Promise<string>((resolve) => {
          pass = resolve
        })
      }
      const { open } = await serve(framework, { getToken })
      const line = open({})
      await eventually(() => expect(isAsked).toBe(true))
      line.abort()
      await new Promise((resolve) => setTimeout(resolve, 20))
      pass(await tokenOf())
      await new Promise((resolve) => setImmediate(resolve))
      await eventually(() => expect(watched()).toBe(0))
    })

    it('passes an anonymous request with optional, and watches nothing', async () => {
      const { server, open } = await serve(framework, { optional: true })
      await reads(open({}), 'hello')
      expect(server.signals).toEqual([undefined])
      expect(watched()).toBe(0)
    })

    it('keeps an event stream open over a rotation, until the successor is revoked', async () => {
      const { open } = await serve(framework)
      const token = await tokenOf()
      const line = open({ token })
      await reads(line, 'hello')
      const successor = await watchword.rotate(token, ACTOR)
      await made.clock.advance(120_000)
      expect(watchword.verify(token)).toEqual({ ok: false, code: 'superseded' })
      expect(line.isClosed).toBe(false)
      expect(watched()).toBe(1)
      await watchword.revoke({ id: successor.id }, ACTOR)
      await closes(line)
    })

    it('closes an event stream when its token expires, is suspended or restricted', async () => {
      const { open } = await serve(framework, { scopes: ['orders:read'] })
      const [short, suspended, restricted, narrowed] = [
        await watchword.issue({ ...INPUT, ttl: '10m' }),
        await watchword.issue(INPUT),
        await watchword.issue(INPUT),
        await watchword.issue(INPUT),
      ]
      const all = [short, suspended, restricted, narrowed].map(({ token }) => open({ token }))
      for (const line of all) await reads(line, 'hello')
      const states = () => all.map(({ isClosed }) => isClosed)
      await watchword.restrict(
        { id: narrowed.id },
        { ...ACTOR, deny: ['orders:write'], reason: 'x' },
      )
      await watchword.suspend({ id: suspended.id }, { ...ACTOR, reason: 'x' })
      await eventually(() => expect(states()).toEqual([false, true, false, false]))
      await watchword.restrict(
        { id: restricted.id },
        { ...ACTOR, deny: ['orders:read'], reason: 'x' },
      )
      await eventually(() => expect(states()).toEqual([false, true, true, false]))
      await made.clock.advance(600_000)
      await eventually(() => expect(states()).toEqual([true, true, true, false]))
    })

    it('refuses an authority without watch when the guard is created', async () => {
      const { authenticate, require } = watchword
      const wrapper = { authenticate, require } as TokenAuthority
      await expect((async () => framework.serve(wrapper))()).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringMatching(/watch/),
      })
    })
  },
)

describe('cut: true in a handler of Web requests', () => {
  const authorized = (token: string, init: RequestInit = {}) =>
    new Request('https://api.example/', { ...init, headers: { authorization: `Bearer ${token}` } })

  it('leaves nothing of a handler that throws or has no body', async () => {
    const token = await tokenOf()
    const failing = protect(watchword, async () => Promise.reject(new Error('broken')), {
      cut: true,
    })
    await expect(failing(authorized(token))).rejects.toThrow('broken')
    const empty = protect(watchword, () => new Response(null, { status: 204 }), { cut: true })
    expect((await empty(authorized(token))).status).toBe(204)
    expect(watched()).toBe(0)
  })

  it('leaves nothing of a request that its client had left already', async () => {
    const open = protect(watchword, () => new Response(new ReadableStream()), { cut: true })
    await open(authorized(await tokenOf(), { signal: AbortSignal.abort() }))
    expect(watched()).toBe(0)
  })

  it('cancels the body of a response that comes after the token has ended', async () => {
    const token = await tokenOf()
    let isCancelled = false
    let respond: (response: Response) => void = () => undefined
    const held = new Promise<Response>((resolve) => {
      respond = resolve
    })
    const late = protect(watchword, () => held, { cut: true })
    const pending = late(authorized(token))
    await eventually(() => expect(watched()).toBe(1))
    await watchword.revoke({ token }, ACTOR)
    expect((await pending).status).toBe(401)
    const body = new ReadableStream({
      cancel: () => {
        isCancelled = true
      },
    })
    respond(new Response(body))
    await eventually(() => expect(isCancelled).toBe(true))
  })
})

describe('cut: true on one connection of HTTP/1', () => {
  async function counted() {
    let socket: Socket | undefined
    const handler = forNode.protect(
      watchword,
      (request, response) => {
        socket = request.socket
        if (request.url === '/events') response.writeHead(200).write('hello')
        else response.end('done')
      },
      { cut: true },
    )
    const server = createServer(handler).listen(0, '127.0.0.1')
    await once(server, 'listening')
    ends.push(async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    })
    const open = (...requests: readonly LineRequest[]) => {
      const line = openLine((server.address() as AddressInfo).port, ...requests)
      lines.push(line)
      return line
    }
    return { open, listeners: () => socket?.listenerCount('close') ?? 0 }
  }

  it('leaves nothing of requests that ask for an upgrade which the server does not offer', async () => {
    const { open, listeners } = await counted()
    const token = await tokenOf()
    const request = { path: '/', token, headers: ['connection: upgrade', 'upgrade: h2c'] }
    const line = open(request)
    for (let i = 1; i < 4; i++) {
      await eventually(() => expect(line.text.match(/done/g)).toHaveLength(i))
      line.send(request)
    }
    await eventually(() => expect(line.text.match(/done/g)).toHaveLength(4))
    expect(watched()).toBe(0)
    const before = listeners()
    line.send({ path: '/', token })
    await eventually(() => expect(line.text.match(/done/g)).toHaveLength(5))
    expect(watched()).toBe(0)
    expect(listeners()).toBe(before)
    await watchword.revoke({ token }, ACTOR)
    line.send({ path: '/', token })
    await reads(line, ' 401 ')
  })

  it('leaves nothing of requests that wait behind an open one when the client disconnects', async () => {
    const { open } = await counted()
    const token = await tokenOf()
    const line = open({ token }, ...Array.from({ length: 20 }, () => ({ path: '/events', token })))
    await reads(line, 'hello')
    await eventually(() => expect(watched()).toBe(21))
    line.abort()
    await eventually(() => expect(watched()).toBe(0))
  })

  it('ends a request that waits behind another with its own token', async () => {
    const { open } = await counted()
    const [first, second] = [await tokenOf(), await tokenOf()]
    const line = open({ token: first }, { token: second })
    await reads(line, 'hello')
    await eventually(() => expect(watched()).toBe(2))
    await watchword.revoke({ token: second }, ACTOR)
    await eventually(() => expect(watched()).toBe(1))
    await watchword.revoke({ token: first }, ACTOR)
    await closes(line)
    expect(watched()).toBe(0)
  })
})
