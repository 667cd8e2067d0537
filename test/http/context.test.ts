/**
 * What the decision channel is told of the request that carried a token.
 *
 * @module
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import Router from '@koa/router'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Decision, Watchword } from 'watchword'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
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

/** What is told of one request, which claims what it likes in its headers. */
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

const nameIt = (request: object): void => void Object.assign(request, { id: 'req-1' })

describe('a decision', () => {
  it('has what Express knows of the request', async () => {
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

  it('has the address that Express was told to trust', async () => {
    const app = express().set('trust proxy', 'loopback')
    app.use(forExpress.requireToken(watchword), (_, response) => void response.end())
    expect((await told(app)).context).toEqual({ method: 'GET', address: '203.0.113.9' })
  })

  it('has what Koa and its router know', async () => {
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

  it('has what Fastify knows', async () => {
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

  it('has what Hono knows, and the address if the application gives one', async () => {
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

  it('has what node:http knows', async () => {
    const listener = forNode.protect(watchword, (_, response) => response.end())
    expect((await told(listener)).context).toEqual({ method: 'GET', address: ADDRESS })
  })

  it('never has more than short text, whatever the application gives', async () => {
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

  it('goes without a context that cannot be had, and the request with it', async () => {
    const context = () => {
      throw new Error('oops')
    }
    const listener = forNode.protect(watchword, (_, response) => response.end(), { context })
    expect('context' in (await told(listener))).toBe(false)
  })

  it('has the context of authenticate, once, also where it took I/O', async () => {
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
