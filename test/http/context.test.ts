/**
 * What the decision channel publishes about the request that carried a token.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { requestId } from 'hono/request-id'
import Koa from 'koa'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Decision, Watchword } from 'watchword'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
import * as forWeb from '../../src/http/web.js'
import { closeAll, rig } from '../support/harness.js'
import { send } from './client.js'

const INPUT = { policy: 'service', subject: 'svc_billing', actor: 'ops' } as const
const ADDRESS = '127.0.0.1'

const said: Decision[] = []
const onDecision = (message: unknown) => void said.push(message as Decision)

let watchword: Watchword
let token: string

beforeAll(async () => {
  watchword = (await rig()).watchword
  token = (await watchword.issue(INPUT)).token
})
afterAll(closeAll)
beforeEach(() => {
  said.length = 0
  subscribe('watchword:decision', onDecision)
})
afterEach(() => void unsubscribe('watchword:decision', onDecision))

/** The published context of one request, whose headers may claim anything. */
async function told(
  listener: (...exchange: Parameters<RequestListener>) => unknown,
): Promise<Decision> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve))
  const claims = ['x-forwarded-for: 203.0.113.9', 'x-real-ip: 203.0.113.9', 'x-request-id: forged']
  const headers = [`authorization: Bearer ${token}`, ...claims]
  const { port } = server.address() as AddressInfo
  const reply = await send(port, { path: '/orders/42?q=secret', headers })
  await new Promise((resolve) => server.close(resolve))
  expect(reply.status).toBe(200)
  expect(said).toHaveLength(1)
  const [decision] = said as [Decision]
  expect(decision).toMatchObject({ outcome: 'ok', subject: 'svc_billing' })
  // Also true of none.
  expect(Object.isFrozen(decision.context)).toBe(true)
  return decision
}

/** The context of one request that arrives over a Unix domain socket, which has no address. */
async function toldOverSocket(listener: RequestListener): Promise<Decision['context']> {
  const folder = mkdtempSync(join(tmpdir(), 'watchword-http-'))
  const socketPath = join(folder, 'http.sock')
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  const headers = { authorization: `Bearer ${token}` }
  const status = await new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: '/orders/42', headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    })
    sent.once('error', reject).end()
  })
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true })
  expect(status).toBe(200)
  expect(said).toHaveLength(1)
  return said[0]?.context
}

const nameIt = (request: object): void => void Object.assign(request, { id: 'req-1' })

describe('a decision', () => {
  it('has the context of an Express request', async () => {
    const app = express()
    app.use((request, _, next) => {
      nameIt(request)
      next()
    })
    app.get('/orders/:id', forExpress.requireToken(watchword), (_, response) => void response.end())
    expect((await told(app)).context).toEqual({
      method: 'GET',
      route: '/orders/:id',
      requestId: 'req-1',
      address: ADDRESS,
    })
  })

  it('has the address that Express is configured to trust', async () => {
    const app = express().set('trust proxy', 'loopback')
    app.use(forExpress.requireToken(watchword), (_, response) => void response.end())
    expect((await told(app)).context).toEqual({ method: 'GET', address: '203.0.113.9' })
  })

  it('has the id of a request as text when Express middleware sets a number', async () => {
    const app = express()
    app.use((request, _, next) => {
      Object.assign(request, { id: 7 })
      next()
    })
    app.use(forExpress.requireToken(watchword), (_, response) => void response.end())
    expect((await told(app)).context).toMatchObject({ requestId: '7' })
  })

  it('has no address when the request arrives over a Unix domain socket', async () => {
    const app = express()
    app.get('/orders/:id', forExpress.requireToken(watchword), (_, response) => void response.end())
    expect(await toldOverSocket(app)).toEqual({ method: 'GET', route: '/orders/:id' })
    said.length = 0
    const listener = forNode.protect(watchword, (_, response) => response.end())
    expect(await toldOverSocket(listener)).toEqual({ method: 'GET' })
  })

  it('has the context of a Koa request and its router', async () => {
    const app = new Koa()
    const router = new Router({ prefix: '/orders' })
    router.get('/:id', forKoa.requireToken(watchword), (context) => {
      context.status = 200
    })
    app.use(router.routes())
    expect((await told(app.callback())).context).toEqual({
      method: 'GET',
      route: '/orders/:id',
      address: ADDRESS,
    })
  })

  it('has the context of a Fastify request', async () => {
    const app = fastify({ genReqId: () => 'req-2' })
    const onRequest = forFastify.requireToken(watchword)
    app.get('/orders/:id', { onRequest }, async () => 'fine')
    await app.ready()
    expect((await told(app.routing)).context).toEqual({
      method: 'GET',
      route: '/orders/:id',
      requestId: 'req-2',
      address: ADDRESS,
    })
    await app.close()
  })

  it('has no route when Fastify knows none for the path', async () => {
    const app = fastify({ genReqId: () => 'req-3' })
    await app.register(forFastify.tokenPlugin(watchword))
    app.setNotFoundHandler((_, reply) => void reply.code(200).send())
    await app.ready()
    expect((await told(app.routing)).context).toEqual({
      method: 'GET',
      requestId: 'req-3',
      address: ADDRESS,
    })
    await app.close()
  })

  it('has the id that the request-id middleware of Hono sets', async () => {
    const app = new Hono()
    app.use(requestId({ generator: () => 'req-4', headerName: '' }))
    app.get('/orders/:id', forHono.requireToken(watchword), (c) => c.body(null, 200))
    expect((await told(getRequestListener(app.fetch))).context).toEqual({
      method: 'GET',
      route: '/orders/:id',
      requestId: 'req-4',
    })
  })

  it('has the context of a Hono request, and the address if the application provides one', async () => {
    const app = new Hono<{ Bindings: { incoming: IncomingMessage } }>()
    const context = (c: { env: unknown }) => {
      const { incoming } = c.env as { incoming: IncomingMessage }
      return { address: incoming.socket.remoteAddress ?? '' }
    }
    app.get('/orders/:id', forHono.requireToken(watchword, { context }), (c) => c.body(null, 200))
    expect((await told(getRequestListener(app.fetch))).context).toEqual({
      method: 'GET',
      route: '/orders/:id',
      address: ADDRESS,
    })
  })

  it('has the context of a node:http request', async () => {
    const listener = forNode.protect(watchword, (_, response) => response.end())
    expect((await told(listener)).context).toEqual({ method: 'GET', address: ADDRESS })
  })

  it.each([
    [{ 'user-agent': 'curl/8' }, { method: 'GET', userAgent: 'curl/8' }],
    [{}, { method: 'GET' }],
  ])(
    'has the method of a Web request, and its user agent if it has one: %j',
    async (more, expected) => {
      const handler = forWeb.protect(watchword, () => new Response('ok'))
      const headers = { authorization: `Bearer ${token}`, ...more }
      const response = await handler(new Request('https://api.example/orders/42', { headers }))
      expect(response.status).toBe(200)
      expect(said.map(({ context }) => context)).toEqual([expected])
    },
  )

  it('never contains anything but short text, for any value from the application', async () => {
    const context = () =>
      ({
        route: 'r'.repeat(5000),
        method: 42,
        requestId: { toString: () => 'object' },
        address: '',
        token,
      }) as object
    const listener = forNode.protect(watchword, (_, response) => response.end(), { context })
    expect((await told(listener)).context).toEqual({ route: 'r'.repeat(256), address: '' })
  })

  it('is published without a context that cannot be read, and the request proceeds', async () => {
    const context = () => {
      throw new Error('oops')
    }
    const listener = forNode.protect(watchword, (_, response) => response.end(), { context })
    expect('context' in (await told(listener))).toBe(false)
  })

  it('has the context of authenticate, once, also when it needed I/O', async () => {
    const context = { route: '/orders', method: 'GET' }
    await watchword.authenticate(token, {}, context)
    await watchword.authenticate(token, { freshness: 'store' }, context)
    await watchword.authenticate('nonsense', {}, context)
    context.route = 'changed later'
    expect(said.map(({ outcome, context: given }) => [outcome, given?.route])).toEqual([
      ['ok', '/orders'],
      ['ok', '/orders'],
      ['malformed', '/orders'],
    ])
    expect(said.every((decision) => Object.isFrozen(decision.context))).toBe(true)
  })
})
