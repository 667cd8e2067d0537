/**
 * What an ordinary response tells the client about its token: when it expires, when a rotation is due, and its successor.
 *
 * @module
 */
import {
  createServer,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  type RequestListener,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import type { Store } from 'watchword/store'
import { requireToken } from '../../src/http/express.js'
import { protect } from '../../src/http/node.js'
import { closeAll, codeOf, MINUTE, rig, SECOND, sharedStore, verdict } from '../support/harness.js'
import { type Reply, send, sendSecure } from './client.js'
import { FRAMEWORKS, type Framework, type Running, type Site } from './servers.js'

afterEach(closeAll)

const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'ops',
  scopes: ['orders:read'],
} as const
const ROTATING = { rotateDue: true, scopes: ['orders:read'] } as const
// Soon, so that the clock need not advance for weeks.
const DUE = MINUTE
const POLICY = { ttl: '30m', rotateAfter: '1m', scopes: ['orders:*'] } as const
const POLICIES = { service: POLICY }

async function served(
  framework: Framework,
  site: Site,
  use: (server: Running) => Promise<void>,
): Promise<void> {
  const server = await framework.serve(site)
  try {
    await use(server)
  } finally {
    await server.close()
  }
}

const asking =
  (ask: typeof send, port: number, path = '/orders') =>
  (token: string): Promise<Reply> =>
    ask(port, { path, headers: [`authorization: Bearer ${token}`] })

describe.each(FRAMEWORKS)('$name', (framework) => {
  it('sends the times of the token in headers when configured', async () => {
    const { watchword } = await rig({ policies: POLICIES })
    const issued = await watchword.issue(INPUT)
    const routes = { '/told': { expiryHeaders: true }, '/orders': {} }
    await served(framework, { authority: watchword, routes }, async ({ port }) => {
      const told = await asking(send, port, '/told')(issued.token)
      expect(told.headers).toMatchObject({
        'token-expires': new Date(issued.expiresAt).toISOString(),
        'token-rotate-after': new Date(issued.rotateAt).toISOString(),
      })
      const plain = await asking(send, port)(issued.token)
      expect(Object.keys(plain.headers).filter((name) => name.startsWith('token-'))).toEqual([])
      const bad = await asking(send, port, '/told')('x')
      expect(Object.keys(bad.headers).filter((name) => name.startsWith('token-'))).toEqual([])
    })
  })

  it('sends the successor of a token due for rotation, over TLS only and never to a cache', async () => {
    const { watchword, clock } = await rig({ policies: POLICIES })
    const first = await watchword.issue(INPUT)
    const routes = { '/orders': ROTATING }
    const headers = { 'Cache-Control': 'public, max-age=60', 'x-own': 'kept' }
    const site = { authority: watchword, routes, headers }
    await served(framework, { ...site, secure: true }, async ({ port }) => {
      const ask = asking(sendSecure, port)
      const early = await ask(first.token)
      expect([early.status, early.headers['token-successor']]).toEqual([200, undefined])
      expect(early.headers['cache-control']).toBe('public, max-age=60')
      await clock.advance(DUE)
      await served(framework, site, async (open) => {
        // A client's claim of TLS is not trusted unless the application trusts its proxy.
        const claim = ['x-forwarded-proto: https', 'x-forwarded-ssl: on', 'forwarded: proto=https']
        const headers = [`authorization: Bearer ${first.token}`, ...claim]
        const plain = await send(open.port, { headers })
        expect([plain.status, plain.headers['token-successor']]).toEqual([200, undefined])
      })
      const due = await ask(first.token)
      expect([due.status, due.body]).toEqual([200, 'svc_billing'])
      expect(due.headers).toMatchObject({ 'cache-control': 'no-store', 'x-own': 'kept' })
      const successor = watchword.verify(due.headers['token-successor'])
      expect(successor).toMatchObject({ ok: true, generation: 1, family: first.id })
      // A client that ignores the header causes no load, and its responses are cached as usual.
      const again = await ask(first.token)
      expect([again.status, again.headers['token-successor']]).toEqual([200, undefined])
      expect(again.headers['cache-control']).toBe('public, max-age=60')
    })
  })
})

// The rest is the same in every framework.
const framework = FRAMEWORKS.find(({ name }) => name === 'express 5') as Framework

describe('a successor', () => {
  it('is sent again to a client that lost it, and never in a way that counts as reuse', async () => {
    const { watchword, clock } = await rig({ policies: POLICIES })
    const first = await watchword.issue(INPUT)
    await clock.advance(DUE)
    const site = { authority: watchword, routes: { '/orders': ROTATING }, secure: true }
    await served(framework, site, async ({ port }) => {
      const ask = asking(sendSecure, port)
      const successorOf = async () => {
        const { headers } = await ask(first.token)
        const result = watchword.verify(headers['token-successor'])
        return result.ok ? result.id : undefined
      }
      const successor = await successorOf()
      expect(successor).toBeDefined()
      await clock.advance(16 * SECOND)
      expect(await successorOf()).toBe(successor)
      // The end of the grace is near, so a client that asks now may be late.
      await clock.advance(40 * SECOND)
      const near = await ask(first.token)
      expect([near.status, near.headers['token-successor']]).toEqual([200, undefined])
      await clock.advance(MINUTE)
      expect((await ask(first.token)).status).toBe(401)
      const record = await watchword.tokens.get(successor ?? '')
      expect(record?.revokedAt).toBeNull()
    })
  })

  it.each<[string, OutgoingHttpHeader[] | OutgoingHttpHeaders]>([
    ['an object', { 'x-own': ['a', 'b'], 'cache-control': 'public' }],
    ['a flat list', ['X-Own', 'a', 'Cache-Control', 'public', 'x-own', 'b']],
    [
      'a list of pairs',
      [
        ['X-Own', 'a'],
        ['Cache-Control', 'public'],
        ['x-own', 'b'],
      ] as never,
    ],
  ])('is never cached when the handler passes headers to writeHead as %s', async (_, headers) => {
    const { watchword, clock } = await rig({ policies: POLICIES })
    const { token } = await watchword.issue(INPUT)
    await clock.advance(DUE)
    const handler: RequestListener = (_, response) =>
      response.writeHead(200, headers as never).end()
    const options = { rotateDue: true, isSecure: () => true }
    const server = createServer(protect(watchword, handler, options))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const reply = await asking(send, (server.address() as AddressInfo).port)(token)
    await new Promise((resolve) => server.close(resolve))
    expect(verdict(watchword.verify(reply.headers['token-successor']))).toBe('ok')
    expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', 'x-own': 'a, b' })
  })

  it('is not made when the grace is too short to be safe', async () => {
    const policies = { service: { ...POLICY, grace: '1s' } }
    const { watchword, clock } = await rig({ policies })
    const { token, id } = await watchword.issue(INPUT)
    await clock.advance(DUE)
    const site = { authority: watchword, routes: { '/orders': ROTATING }, secure: true }
    await served(framework, site, async ({ port }) => {
      const { status, headers } = await asking(sendSecure, port)(token)
      expect([status, headers['token-successor']]).toEqual([200, undefined])
      expect((await watchword.tokens.get(id))?.successor).toBeNull()
    })
  })

  it('is not made for a token whose successor was itself rotated', async () => {
    const store = sharedStore()
    const { watchword, clock, root } = await rig({ policies: POLICIES }, { store })
    const first = await watchword.issue(INPUT)
    await clock.advance(DUE)
    // Over a separate feed, so that the requested node has not learned of it.
    const { watchword: far } = await rig({ policies: POLICIES }, { store, clock, root })
    const second = await far.rotate(first.token, { actor: 'ops' })
    const third = await far.rotate(second.token, { actor: 'ops' })
    const site = { authority: watchword, routes: { '/orders': ROTATING }, secure: true }
    await served(framework, site, async ({ port }) => {
      const { status, headers } = await asking(sendSecure, port)(first.token)
      expect([status, headers['token-successor']]).toEqual([200, undefined])
      // `rotate` would treat the first token as stolen and revoke all three.
      expect((await watchword.tokens.get(third.id))?.revokedAt).toBeNull()
      expect(verdict(watchword.verify(third.token))).toBe('ok')
    })
  })

  it('that cannot be made fails no request', async () => {
    const state = { down: false }
    const store = new Proxy(sharedStore(), {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        const isDown = state.down && (name === 'getToken' || name === 'succeed')
        return isDown ? () => Promise.reject(new Error('connection refused')) : method
      },
    }) as Store
    const { watchword, clock } = await rig({ policies: POLICIES }, { store })
    const { token } = await watchword.issue(INPUT)
    await clock.advance(DUE)
    state.down = true
    const site = { authority: watchword, routes: { '/orders': ROTATING }, secure: true }
    await served(framework, site, async ({ port }) => {
      const ask = asking(sendSecure, port)
      const failed = await ask(token)
      expect([failed.status, failed.headers['token-successor']]).toEqual([200, undefined])
      state.down = false
      await clock.advance(16 * SECOND)
      expect((await ask(token)).headers['token-successor']).toBeDefined()
    })
  })

  it('that is slow to make fails no request', async () => {
    const state = { hung: false }
    const store = new Proxy(sharedStore(), {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        return state.hung && name === 'getToken' ? () => new Promise(() => {}) : method
      },
    }) as Store
    const { watchword, clock } = await rig({ policies: POLICIES, timeout: '2s' }, { store })
    const { token } = await watchword.issue(INPUT)
    await clock.advance(DUE)
    state.hung = true
    // Shorter than the timeout of the store.
    for (const timeout of ['10s', '1s']) {
      const routes = { '/orders': { ...ROTATING, timeout } }
      await served(framework, { authority: watchword, routes, secure: true }, async ({ port }) => {
        const pending = asking(sendSecure, port)(token)
        let reply: Reply | undefined
        const settled = pending.then((received) => {
          reply = received
        })
        for (let i = 0; i < 1000 && reply === undefined; i++) await clock.advance(50)
        await settled
        expect([reply?.status, reply?.headers['token-successor']]).toEqual([200, undefined])
      })
    }
  })

  it('is not sent when it is unknown whether the request came over TLS', async () => {
    const { watchword, clock } = await rig({ policies: POLICIES })
    const { token } = await watchword.issue(INPUT)
    await clock.advance(DUE)
    const app = express().set('trust proxy', () => {
      throw new Error('oops')
    })
    app.use(requireToken(watchword, ROTATING), (_, response) => void response.end('fine'))
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { status, headers } = await asking(send, port)(token)
    await new Promise((resolve) => server.close(resolve))
    expect([status, headers['token-successor']]).toEqual([200, undefined])
  })

  it('is bound like the token', async () => {
    const binding = 'thumbprint'
    const { watchword, clock } = await rig({ policies: POLICIES })
    const { token } = await watchword.issue({ ...INPUT, binding })
    await clock.advance(DUE)
    const routes = { '/orders': { ...ROTATING, binding } }
    await served(framework, { authority: watchword, routes, secure: true }, async ({ port }) => {
      const { headers } = await asking(sendSecure, port)(token)
      expect(verdict(watchword.verify(headers['token-successor'], { binding }))).toBe('ok')
    })
  })

  it('is not offered by an authority that only verifies', async () => {
    const { watchword } = await rig({ policies: POLICIES })
    const { authenticate, require } = watchword
    const make = () => requireToken({ authenticate, require }, { rotateDue: true })
    expect(await codeOf(make)).toBe('ERR_INVALID_OPTION')
  })
})
