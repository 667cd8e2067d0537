/**
 * The same service in every framework: guarded routes, a guarded application with a mounted part, and a count of how often
 * a handler ran.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ConnectionOptions, TlsOptions } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import Router from '@koa/router'
import express from 'express'
import express4 from 'express4'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { Hono, type Context as HonoContext } from 'hono'
import Koa from 'koa'
import koa2 from 'koa2'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
import type { TokenAuthority, TokenOptions } from '../../src/http/options.js'

export type SharedOptions = TokenOptions<unknown>

/** The options of a service. */
export interface Site {
  readonly authority: TokenAuthority
  /** Guards everything: the routes below, a mounted part with `/mounted/orders`, and missing routes. */
  readonly whole?: SharedOptions
  /** Guarded routes, by path; they accept every method. */
  readonly routes?: Readonly<Record<string, SharedOptions>>
  /** Whether to serve over TLS. */
  readonly secure?: boolean
  /** Sets its own headers in every handler. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A running service. */
export interface Running {
  readonly port: number
  /** How often a handler has run. */
  ran(): number
  close(): Promise<void>
}

export interface Framework {
  readonly name: string
  serve(site: Site): Promise<Running>
}

const MOUNTED = '/mounted'
const PATH = '/orders'

/** The subject that the handler receives. */
function said(request: object): string {
  return forNode.optionalAuthOf(request)?.subject ?? 'anonymous'
}

// A shared key instead of a certificate, which would have to be made and would expire.
const PSK = Buffer.alloc(32, 7)
const CIPHERS = 'PSK-AES128-GCM-SHA256'

/** How the client of a secure site authenticates itself. */
export const TLS_CLIENT: ConnectionOptions = {
  ciphers: CIPHERS,
  maxVersion: 'TLSv1.2',
  pskCallback: () => ({ psk: PSK, identity: 'test' }),
  checkServerIdentity: () => undefined,
}
const TLS_SERVER: TlsOptions = { ciphers: CIPHERS, maxVersion: 'TLSv1.2', pskCallback: () => PSK }

type Listener = (...exchange: Parameters<RequestListener>) => unknown

const serverOf = ({ secure }: Site, listener: Listener): Server =>
  secure ? createTlsServer(TLS_SERVER, listener) : createServer(listener)

interface Counter {
  count: number
}

type Listening = Pick<Server | Http2Server, 'listen' | 'address' | 'close' | 'once'> &
  Partial<Pick<Server, 'closeAllConnections'>>

async function listen(server: Listening, counter: Counter): Promise<Running> {
  server.listen(0, '127.0.0.1')
  await once(server as Server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    ran: () => counter.count,
    async close() {
      const closed = once(server as Server, 'close')
      server.close()
      server.closeAllConnections?.()
      await closed
    },
  }
}

const overExpress = (name: string, make: typeof express): Framework => ({
  name,
  serve(site) {
    const { authority, whole, routes = {}, headers = {} } = site
    const counter = { count: 0 }
    const handler: express.RequestHandler = (request, response) => {
      counter.count++
      response.set({ 'content-type': 'text/plain', ...headers }).end(said(request))
    }
    const app = make()
    app.use(make.urlencoded({ extended: false }))
    if (whole !== undefined) app.use(forExpress.requireToken(authority, whole))
    for (const [path, options] of Object.entries(routes)) {
      app.all(path, forExpress.requireToken(authority, options), handler)
    }
    if (whole !== undefined) {
      const part = make()
      part.all(PATH, handler)
      app.use(MOUNTED, part)
      app.all(PATH, handler)
    }
    return listen(serverOf(site, app), counter)
  },
})

const overKoa = (name: string, Make: typeof Koa): Framework => ({
  name,
  serve(site) {
    const { authority, whole, routes = {}, headers = {} } = site
    const counter = { count: 0 }
    const handler = async (context: Koa.Context): Promise<void> => {
      counter.count++
      // A guard that does not wait for the next handler would have replied 404 by now.
      await new Promise((resolve) => setImmediate(resolve))
      context.set(headers)
      context.body = said(context)
    }
    const app = new Make()
    app.silent = true
    app.use(async (context, next) => {
      const form = context.is('application/x-www-form-urlencoded')
      if (form) {
        const parts: Buffer[] = []
        for await (const part of context.req) parts.push(part as Buffer)
        const fields = new URLSearchParams(Buffer.concat(parts).toString())
        Object.assign(context.request, { body: Object.fromEntries(fields) })
      }
      await next()
    })
    if (whole !== undefined) app.use(forKoa.requireToken(authority, whole))
    const router = new Router()
    for (const [path, options] of Object.entries(routes)) {
      router.all(path, forKoa.requireToken(authority, options), handler)
    }
    if (whole !== undefined) {
      const part = new Router()
      part.all(PATH, handler)
      router.use(MOUNTED, part.routes())
      router.all(PATH, handler)
    }
    app.use(router.routes())
    return listen(serverOf(site, app.callback()), counter)
  },
})

async function fastifyApp(site: Site, counter: Counter, http2: boolean) {
  const { authority, whole, routes = {}, secure, headers = {} } = site
  const options = { ...(http2 ? { http2 } : {}), ...(secure ? { https: TLS_SERVER } : {}) }
  const app = fastify(options as object) as unknown as FastifyInstance
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    counter.count++
    return reply.type('text/plain').headers(headers).send(said(request))
  }
  // The guard replies before a body would be read, and the handler needs none.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => {
    payload.resume()
    done(null)
  })
  if (whole !== undefined) await app.register(forFastify.tokenPlugin(authority, whole))
  for (const [path, options] of Object.entries(routes)) {
    app.all(path, { onRequest: forFastify.requireToken(authority, options) }, handler)
  }
  if (whole !== undefined) {
    await app.register(async (part) => void part.all(PATH, handler), { prefix: MOUNTED })
    app.all(PATH, handler)
  }
  await app.ready()
  return app
}

const overFastify: Framework = {
  name: 'fastify 5',
  async serve(site) {
    const counter = { count: 0 }
    const app = await fastifyApp(site, counter, false)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return runningFastify(app, counter)
  },
}

function runningFastify(app: Awaited<ReturnType<typeof fastifyApp>>, counter: Counter): Running {
  return {
    port: (app.server.address() as AddressInfo).port,
    ran: () => counter.count,
    async close() {
      app.server.closeAllConnections?.()
      await app.close()
    },
  }
}

function honoApp(site: Site, counter: Counter): Hono {
  const { authority, whole, routes = {}, headers = {} } = site
  const app = new Hono()
  const handler = (c: HonoContext) => {
    counter.count++
    return c.text(said(c), 200, headers)
  }
  if (whole !== undefined) app.use(forHono.requireToken(authority, whole))
  for (const [path, options] of Object.entries(routes)) {
    app.all(path, forHono.requireToken(authority, options), handler)
  }
  if (whole !== undefined) {
    const part = new Hono()
    part.all(PATH, handler)
    app.route(MOUNTED, part)
    app.all(PATH, handler)
  }
  return app
}

// Its promise means that the reply was sent, which a server does not use.
const listenerOf = (app: Hono): ((...exchange: Parameters<HonoListener>) => unknown) =>
  getRequestListener(app.fetch)

type HonoListener = ReturnType<typeof getRequestListener>

const overHono: Framework = {
  name: 'hono 4',
  serve(site) {
    const counter = { count: 0 }
    const app = honoApp(site, counter)
    return listen(serverOf(site, listenerOf(app)), counter)
  },
}

const overNode: Framework = {
  name: 'node:http',
  serve(site) {
    const { authority, whole, routes = {}, headers = {} } = site
    const counter = { count: 0 }
    const handler: RequestListener = (request, response) => {
      counter.count++
      response.writeHead(200, 'Fine', headers).end(said(request))
    }
    const guarded = new Map(
      Object.entries(routes).map(
        ([path, options]) => [path, forNode.protect(authority, handler, options)] as const,
      ),
    )
    const rest: RequestListener = (request, response) => {
      const known = [PATH, MOUNTED + PATH].includes(pathOf(request.url))
      if (known) handler(request, response)
      else response.writeHead(404).end()
    }
    const all = whole === undefined ? undefined : forNode.protect(authority, rest, whole)
    const server = serverOf(site, (request, response) => {
      const listener = guarded.get(pathOf(request.url)) ?? all
      if (listener !== undefined) listener(request, response)
      else response.writeHead(404).end()
    })
    return listen(server, counter)
  },
}

const pathOf = (url = ''): string => url.split('?', 1)[0] ?? ''

/** Every framework, in every major version that is supported. */
export const FRAMEWORKS: readonly Framework[] = [
  overExpress('express 4', express4),
  overExpress('express 5', express),
  overKoa('koa 2', koa2),
  overKoa('koa 3', Koa),
  overFastify,
  overHono,
  overNode,
]

/** The frameworks that serve HTTP/2 without TLS. */
export const HTTP2_FRAMEWORKS: readonly Framework[] = [
  {
    name: 'fastify 5',
    async serve(site) {
      const counter = { count: 0 }
      const app = await fastifyApp(site, counter, true)
      await app.listen({ port: 0, host: '127.0.0.1' })
      return runningFastify(app, counter)
    },
  },
  {
    name: 'hono 4',
    serve(site) {
      const counter = { count: 0 }
      const app = honoApp(site, counter)
      return listen(createHttp2Server(listenerOf(app)), counter)
    },
  },
]
