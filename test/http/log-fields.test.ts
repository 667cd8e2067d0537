/**
 * The fields of a guard's result for an access log, in every framework.
 *
 * @module
 */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Watchword } from 'watchword'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import type { LogFields } from '../../src/http/log-fields.js'
import * as forNode from '../../src/http/node.js'
import type { TokenOptions } from '../../src/http/options.js'
import * as forWeb from '../../src/http/web.js'
import { AUDIENCE, closeAll, rig } from '../support/harness.js'
import { send } from './client.js'

const INPUT = {
  policy: 'service',
  subject: 'svc_billing',
  actor: 'ops',
  scopes: ['orders:read'],
  claims: { note: 'secret' },
} as const

let watchword: Watchword
let token: string
let accepted: LogFields

beforeAll(async () => {
  watchword = (await rig()).watchword
  const issued = await watchword.issue(INPUT)
  token = issued.token
  accepted = {
    outcome: 'ok',
    token_id: issued.id,
    subject: 'svc_billing',
    policy: 'service',
    audience: AUDIENCE,
    family: issued.id,
    generation: 0,
  }
})
afterAll(closeAll)

type Log = (fields: LogFields | undefined) => void
type Options = TokenOptions<unknown>
// Some return a promise, which Node ignores.
type Listener = (...exchange: Parameters<RequestListener>) => unknown

/** A service with one guarded route that logs each request when its response is finished. */
const SERVICES: Readonly<
  Record<string, (log: Log, options: Options) => Promise<Listener> | Listener>
> = {
  express: (log, options) => {
    const app = express()
    app.use((request, response, next) => {
      response.on('finish', () => log(forExpress.logFields(request)))
      next()
    })
    app.use(forExpress.requireToken(watchword, options), (_, response) => void response.end())
    return app
  },
  fastify: async (log, options) => {
    const app = fastify()
    app.addHook('onResponse', async (request) => log(forFastify.logFields(request)))
    await app.register(forFastify.tokenPlugin(watchword, options))
    app.get('/', async () => '')
    await app.ready()
    return (request, response) => void app.routing(request, response)
  },
  koa: (log, options) => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next()
      log(forKoa.logFields(ctx))
    })
    app.use(forKoa.requireToken(watchword, options))
    app.use((ctx) => {
      ctx.body = ''
    })
    return app.callback()
  },
  hono: (log, options) => {
    const app = new Hono()
    app.use(async (c, next) => {
      await next()
      log(forHono.logFields(c))
    })
    app.use(forHono.requireToken(watchword, options))
    app.get('/', (c) => c.body(''))
    return getRequestListener(app.fetch)
  },
  node: (log, options) => {
    const guard = forNode.requireToken(watchword, options)
    return (request, response) => {
      response.on('finish', () => log(forNode.logFields(request)))
      guard(request, response, () => response.end())
    }
  },
  web: (log, options) => {
    const handler = forWeb.protect(watchword, () => new Response(), options)
    return getRequestListener(async (request) => {
      const response = await handler(request)
      log(forWeb.logFields(request))
      return response
    })
  },
}

async function logged(
  name: string,
  headers: readonly string[],
  options: Options = { scopes: ['orders:read'] },
): Promise<LogFields | undefined> {
  const lines: (LogFields | undefined)[] = []
  const serve = SERVICES[name] as (typeof SERVICES)[string]
  const server = createServer(await serve((fields) => void lines.push(fields), options))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await send(port, { path: '/', headers: [...headers] })
  await new Promise((resolve) => server.close(resolve))
  await expect.poll(() => lines.length).toBe(1)
  return lines[0]
}

describe.each(Object.keys(SERVICES))('logFields in %s', (name) => {
  it('returns the token of an accepted request, without custom claims', async () => {
    expect(await logged(name, [`authorization: Bearer ${token}`])).toEqual(accepted)
  })

  it('returns why a request was rejected, even if the response does not say so', async () => {
    const revoked = await watchword.issue(INPUT)
    await watchword.revoke({ token: revoked.token }, { actor: 'ops' })
    const bearer = `authorization: Bearer ${token}`
    expect(await logged(name, [bearer], { scopes: ['admin'] })).toEqual({
      outcome: 'insufficient_scope',
    })
    expect(await logged(name, [`authorization: Bearer ${revoked.token}`])).toEqual({
      outcome: 'revoked',
    })
    expect(await logged(name, [])).toEqual({ outcome: 'missing' })
    expect(await logged(name, ['authorization: Bearer a b'])).toEqual({ outcome: 'malformed' })
  })

  it('returns `anonymous` for a request that `optional` let pass', async () => {
    expect(await logged(name, [], { optional: true })).toEqual({ outcome: 'anonymous' })
  })

  it('returns `unavailable` for a request whose token could not be checked', async () => {
    const getToken = () => Promise.reject(new Error('secret'))
    expect(await logged(name, [], { getToken })).toEqual({ outcome: 'unavailable' })
  })
})

describe('logFields', () => {
  it('returns nothing where no guard ran, so that it can be spread into any log line', () => {
    const request = new Request('https://orders.example/')
    expect(forWeb.logFields(request)).toBeUndefined()
    expect({ status: 200, ...forWeb.logFields(request) }).toEqual({ status: 200 })
    for (const value of [undefined, null, 'text', 1])
      expect(forWeb.logFields(value as never)).toBeUndefined()
  })

  it('returns the result of the last guard that ran', async () => {
    const request = new Request('https://orders.example/', {
      headers: { authorization: `Bearer ${token}` },
    })
    const handler = () => new Response()
    await forWeb.protect(watchword, handler, { scopes: ['admin'] })(request)
    expect(forWeb.logFields(request)).toEqual({ outcome: 'insufficient_scope' })
    await forWeb.protect(watchword, handler)(request)
    expect(forWeb.logFields(request)).toEqual(accepted)
  })

  it('does not keep a code that a wrapped authority invents', async () => {
    const wrapped = {
      ...watchword,
      authenticate: async () => ({ ok: false, code: token }) as never,
    }
    const request = new Request('https://orders.example/', {
      headers: { authorization: `Bearer ${token}` },
    })
    await forWeb.protect(wrapped, () => new Response(), { reasons: true })(request)
    expect(forWeb.logFields(request)).toEqual({ outcome: 'invalid' })
  })

  it('returns nothing for a frozen request, which is rejected all the same', async () => {
    const request = Object.freeze(new Request('https://orders.example/'))
    const response = await forWeb.protect(watchword, () => new Response())(request)
    expect(response.status).toBe(401)
    expect(forWeb.logFields(request)).toBeUndefined()
  })
})
