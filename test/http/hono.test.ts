/**
 * Specifics of Hono: its exceptions, and Web requests, whose URL is controlled by the client.
 *
 * @module
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { afterEach, describe, expect, it } from 'vitest'
import { WatchwordError } from 'watchword'
import * as forHono from '../../src/http/hono.js'
import * as forWeb from '../../src/http/web.js'
import { closeAll, MINUTE, rig } from '../support/harness.js'
import { send } from './client.js'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
  await closeAll()
})

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops', scopes: ['orders:read'] }

describe('a rejection that is thrown in Hono', () => {
  it('is an HTTPException whose response is that of the guard, each time it is requested', async () => {
    const { watchword } = await rig()
    const { token } = await watchword.issue(INPUT)
    const options = { scopes: ['orders:write'] }
    const caught: unknown[] = []
    const plain = new Hono().get('/', forHono.requireToken(watchword, options), (c) => c.text('in'))
    const throwing = (handle: (error: HTTPException) => Response) =>
      new Hono()
        .get('/', forHono.requireToken(watchword, { ...options, throwErrors: true }), (c) =>
          c.text('in'),
        )
        .onError((error, c) => {
          caught.push(error)
          return error instanceof HTTPException ? handle(error) : c.text('other', 500)
        })
    const apps = {
      'its response': throwing((error) => error.getResponse()),
      'its response, twice': throwing((error) => {
        error.getResponse()
        return error.getResponse()
      }),
      'its res': throwing((error) => error.res as Response),
    }
    const requests: readonly (readonly [string, object])[] = [
      ['/', {}],
      ['/', { headers: { authorization: 'Bearer nonsense' } }],
      ['/', { headers: { authorization: `Bearer ${token}` } }],
      [`/?access_token=${token}`, { headers: { authorization: `Bearer ${token}` } }],
    ]
    for (const [path, init] of requests) {
      const want = await plain.request(path, init)
      const expected = [want.status, [...want.headers], await want.text()]
      for (const [name, app] of Object.entries(apps)) {
        const got = await app.request(path, init)
        expect([name, [got.status, [...got.headers], await got.text()]]).toEqual([name, expected])
      }
    }
    expect(caught).toHaveLength(requests.length * Object.keys(apps).length)
    for (const error of caught) {
      expect(error).toBeInstanceOf(WatchwordError)
      expect(error).toMatchObject({ code: 'ERR_TOKEN_REJECTED', expose: true })
      expect(String((error as Error).stack)).not.toContain(token)
    }
  })
})

describe('an absolute request target of the scheme https', () => {
  const POLICIES = { service: { ttl: '30m', rotateAfter: '1m', scopes: ['orders:*'] } } as const

  async function dueToken() {
    const { watchword, clock } = await rig({ policies: POLICIES })
    const { token } = await watchword.issue(INPUT)
    await clock.advance(MINUTE)
    return { watchword, token }
  }

  async function successorOver(fetch: (request: Request, env: never) => unknown, token: string) {
    const listener = getRequestListener(fetch as never)
    const server = createServer((incoming, outgoing) => void listener(incoming, outgoing))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    const headers = [`authorization: Bearer ${token}`]
    const reply = await send(port, { path: 'https://api.example/orders', headers })
    return [reply.status, reply.headers['token-successor'] !== undefined]
  }

  it('does not make a guard send a successor over plain HTTP, behind any wrapper', async () => {
    const { watchword, token } = await dueToken()
    const handler = () => new Response('fine')
    const protect = forWeb.protect(watchword, handler, { rotateDue: true })
    expect(await successorOver((request) => protect(request), token)).toEqual([200, false])
    const withEnv = forWeb.protect(watchword, (_: Request, _env: unknown) => handler(), {
      rotateDue: true,
    })
    expect(await successorOver(withEnv, token)).toEqual([200, false])
    const app = new Hono()
    app.use(forHono.requireToken(watchword, { rotateDue: true }))
    app.get('/orders', (c) => c.text('fine'))
    expect(await successorOver(app.fetch as never, token)).toEqual([200, false])
    expect(await successorOver((request) => app.fetch(request), token)).toEqual([200, false])
  })

  it('does not count as TLS outside Node either, unless the application configures it', async () => {
    const { watchword, token } = await dueToken()
    const headers = { authorization: `Bearer ${token}` }
    const ask = async (options: forWeb.TokenOptions<Request>) => {
      const get = forWeb.protect(watchword, () => new Response('fine'), options)
      const response = await get(new Request('https://api.example/orders', { headers }))
      return response.headers.has('token-successor')
    }
    expect(await ask({ rotateDue: true })).toBe(false)
    expect(await ask({ rotateDue: true, isSecure: () => false })).toBe(false)
    expect(await ask({ rotateDue: true, isSecure: (() => 'yes') as never })).toBe(false)
    expect(
      await ask({
        rotateDue: true,
        isSecure: () => {
          throw new Error('oops')
        },
      }),
    ).toBe(false)
    expect(await ask({ rotateDue: true, isSecure: () => true })).toBe(true)
  })

  it('does not make the rotation endpoint return a token over plain HTTP', async () => {
    const { watchword, token } = await dueToken()
    const app = new Hono().all('*', forHono.tokenEndpoints(watchword).rotation())
    const headers = { authorization: `Bearer ${token}` }
    const init = { method: 'POST', headers }
    expect((await app.request('https://api.example/token/rotate', init)).status).toBe(403)
  })
})
