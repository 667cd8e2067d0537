/**
 * The same service with open responses in every framework: `/events` sends one event and stays open, `/poll` sends nothing
 * and stays open, and `/short` responds at once. All of them are guarded with `cut: true`.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import express4 from 'express4'
import fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import koa2 from 'koa2'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
import type { TokenAuthority, TokenOptions } from '../../src/http/options.js'
import * as forWeb from '../../src/http/web.js'

/** A running service. */
export interface LiveServer {
  readonly port: number
  /** The signal of each request that reached a handler; `undefined` for an anonymous one. */
  readonly signals: readonly (AbortSignal | undefined)[]
  close(): Promise<void>
}

export interface LiveFramework {
  readonly name: string
  readonly http2?: true
  serve(authority: TokenAuthority, options?: TokenOptions<unknown>): Promise<LiveServer>
}

const SSE = { 'content-type': 'text/event-stream' }
const EVENT = 'data: hello\n\n'
const never = () => new Promise<never>(() => undefined)

type Listening = Server | Http2Server
type Signals = (AbortSignal | undefined)[]

async function listen(server: Listening, signals: Signals): Promise<LiveServer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    signals,
    async close() {
      const closed = once(server, 'close')
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    },
  }
}

const pathOf = (url = ''): string => url.split('?', 1)[0] ?? ''

/** The handler of `node:http` and of routers that look like it. */
const nodeHandler =
  (signals: Signals): RequestListener =>
  (request, response: ServerResponse) => {
    signals.push(forNode.optionalAuthOf(request)?.signal)
    const path = pathOf(request.url)
    if (path === '/events') response.writeHead(200, SSE).write(EVENT)
    else if (path !== '/poll') response.end('done')
  }

/** The handler of Web requests. */
const webHandler = (signals: Signals) => async (request: Request) => {
  signals.push(forWeb.optionalAuthOf(request)?.signal)
  return webResponse(new URL(request.url).pathname)
}

async function webResponse(path: string): Promise<Response> {
  if (path === '/poll') return never()
  if (path !== '/events') return new Response('done')
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(EVENT)),
  })
  return new Response(body, { headers: SSE })
}

type Options = TokenOptions<unknown> | undefined
const cutting = (options: Options): TokenOptions<unknown> => ({ cut: true, ...options })

const overExpress = (name: string, make: typeof express): LiveFramework => ({
  name,
  serve(authority, options) {
    const signals: Signals = []
    const app = make()
    app.use(forExpress.requireToken(authority, cutting(options)), nodeHandler(signals))
    return listen(createServer(app), signals)
  },
})

const overKoa = (name: string, Make: typeof Koa): LiveFramework => ({
  name,
  serve(authority, options) {
    const signals: Signals = []
    const app = new Make()
    app.silent = true
    app.use(forKoa.requireToken(authority, cutting(options)))
    app.use(async (context) => {
      signals.push(forKoa.optionalAuthOf(context)?.signal)
      if (context.path === '/poll') await never()
      if (context.path === '/events') {
        const stream = new PassThrough()
        stream.write(EVENT)
        context.set(SSE)
        context.body = stream
      } else context.body = 'done'
    })
    const listener = app.callback()
    return listen(
      createServer((...exchange) => void listener(...exchange)),
      signals,
    )
  },
})

const overFastify = (http2: boolean): LiveFramework => ({
  name: http2 ? 'fastify 5 over HTTP/2' : 'fastify 5',
  ...(http2 ? { http2 } : {}),
  async serve(authority, options) {
    const signals: Signals = []
    const app = fastify((http2 ? { http2 } : {}) as object) as unknown as FastifyInstance
    await app.register(forFastify.tokenPlugin(authority, cutting(options)))
    app.all('/*', async (request, reply) => {
      signals.push(forFastify.optionalAuthOf(request)?.signal)
      if (request.url === '/poll') return never()
      if (request.url !== '/events') return 'done'
      const stream = new PassThrough()
      stream.write(EVENT)
      return reply.headers(SSE).send(stream)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return {
      port: (app.server.address() as AddressInfo).port,
      signals,
      async close() {
        app.server.closeAllConnections?.()
        await app.close()
      },
    }
  },
})

const overHono = (http2: boolean): LiveFramework => ({
  name: http2 ? 'hono 4 over HTTP/2' : 'hono 4',
  ...(http2 ? { http2 } : {}),
  serve(authority, options) {
    const signals: Signals = []
    const app = new Hono()
    app.use(forHono.requireToken(authority, cutting(options)))
    app.all('/*', (c) => {
      signals.push(forHono.optionalAuthOf(c)?.signal)
      return webResponse(c.req.path)
    })
    const listener = getRequestListener(app.fetch)
    const server = http2
      ? createHttp2Server((...exchange) => void listener(...exchange))
      : createServer((...exchange) => void listener(...exchange))
    return listen(server, signals)
  },
})

// Without the environment of the adapter, as on other runtimes.
const overHonoAlone: LiveFramework = {
  name: 'hono 4 without an environment',
  serve(authority, options) {
    const signals: Signals = []
    const app = new Hono()
    app.use(forHono.requireToken(authority, cutting(options)))
    app.all('/*', (c) => {
      signals.push(forHono.optionalAuthOf(c)?.signal)
      return webResponse(c.req.path)
    })
    const listener = getRequestListener((request) => app.fetch(request))
    return listen(
      createServer((...exchange) => void listener(...exchange)),
      signals,
    )
  },
}

const overWeb = (withEnvironment: boolean): LiveFramework => ({
  name: withEnvironment ? 'web on @hono/node-server' : 'web without an environment',
  serve(authority, options) {
    const signals: Signals = []
    const handler = forWeb.protect<unknown, Request, unknown[]>(
      authority as TokenAuthority<unknown>,
      webHandler(signals),
      cutting(options),
    )
    const listener = getRequestListener(
      withEnvironment ? (request, env) => handler(request, env) : (request) => handler(request),
    )
    return listen(
      createServer((...exchange) => void listener(...exchange)),
      signals,
    )
  },
})

const overNode = (name: 'requireToken' | 'protect'): LiveFramework => ({
  name: `node:http, ${name}`,
  serve(authority, options) {
    const signals: Signals = []
    const handler = nodeHandler(signals)
    if (name === 'protect') {
      return listen(createServer(forNode.protect(authority, handler, cutting(options))), signals)
    }
    const guard = forNode.requireToken(authority, cutting(options))
    const server = createServer((request, response) => {
      guard(request, response, () => handler(request, response as ServerResponse<typeof request>))
    })
    return listen(server, signals)
  },
})

/** Every guard with `cut`. */
export const LIVE_FRAMEWORKS: readonly LiveFramework[] = [
  overNode('requireToken'),
  overNode('protect'),
  overExpress('express 4', express4),
  overExpress('express 5', express),
  overKoa('koa 2', koa2),
  overKoa('koa 3', Koa),
  overFastify(false),
  overFastify(true),
  overHono(false),
  overHono(true),
  overHonoAlone,
  overWeb(true),
  overWeb(false),
]
