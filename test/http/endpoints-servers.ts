/**
 * The same token endpoints in every framework, with and without a body parser before them.
 *
 * @module
 */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import Router from '@koa/router'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import koa2 from 'koa2'
import type {
  EndpointAuthority,
  EndpointsOptions,
  IntrospectionOptions,
  LeakOptions,
  RevocationOptions,
  RotationOptions,
} from '../../src/http/endpoints/options.js'
import * as forExpress from '../../src/http/express.js'
import * as forFastify from '../../src/http/fastify.js'
import * as forHono from '../../src/http/hono.js'
import * as forKoa from '../../src/http/koa.js'
import * as forNode from '../../src/http/node.js'
import type { Reply } from './client.js'
import { TLS_CLIENT } from './servers.js'

/** The paths of the endpoints. */
export const PATHS = {
  revocation: '/oauth/revoke',
  introspection: '/oauth/introspect',
  rotation: '/token/rotate',
  leak: '/token/leaked',
} as const

/** The options of a service. */
export interface EndpointSite {
  readonly authority: EndpointAuthority
  readonly shared?: EndpointsOptions<unknown>
  /** Default: `authorize` knows the client `ops` by a field of the form. */
  readonly revocation?: RevocationOptions<unknown>
  readonly introspection?: IntrospectionOptions<unknown>
  /** Default: `allowHttp`. */
  readonly rotation?: RotationOptions
  readonly leak?: LeakOptions
  /** Whether to serve over TLS. */
  readonly secure?: boolean
  /** Whether a body parser runs before the endpoints, in frameworks that have one. */
  readonly parsed?: boolean
}

/** A running service. */
export interface RunningEndpoints {
  readonly port: number
  close(): Promise<void>
}

export interface EndpointFramework {
  readonly name: string
  readonly hasParser: boolean
  serve(site: EndpointSite): Promise<RunningEndpoints>
}

/** The callers that the endpoints know. */
export const AUTHORIZED: RevocationOptions<unknown> = {
  authorize: ({ fields }) => (fields['client_id'] === 'ops' ? { actor: 'ops' } : undefined),
}

/** The part of an adapter in use: the four factories, in a framework's own form. */
interface Adapter<Handler> {
  revocation(options: RevocationOptions<unknown>): Handler
  introspection(options: IntrospectionOptions<unknown>): Handler
  rotation(options: RotationOptions): Handler
  leak(options: LeakOptions): Handler
}

function mounted<Handler>(site: EndpointSite, make: Adapter<Handler>): [string, Handler][] {
  return [
    [PATHS.revocation, make.revocation(site.revocation ?? AUTHORIZED)],
    [PATHS.introspection, make.introspection(site.introspection ?? AUTHORIZED)],
    [PATHS.rotation, make.rotation(site.rotation ?? { allowHttp: true })],
    [PATHS.leak, make.leak(site.leak ?? {})],
  ]
}

type Listener = (...exchange: Parameters<RequestListener>) => unknown

const TLS_SERVER = {
  ciphers: TLS_CLIENT.ciphers as string,
  maxVersion: 'TLSv1.2',
  pskCallback: () => TLS_CLIENT.pskCallback?.(null)?.psk as Buffer,
} as const

async function listen({ secure }: EndpointSite, listener: Listener): Promise<RunningEndpoints> {
  const server = secure ? createTlsServer(TLS_SERVER, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const overExpress = (name: string, make: typeof express): EndpointFramework => ({
  name,
  hasParser: true,
  serve(site) {
    const app = make()
    if (site.parsed) {
      app.use(make.urlencoded({ extended: true }), make.json({ limit: '1mb' }))
    }
    const endpoints = forExpress.tokenEndpoints(site.authority, site.shared ?? {})
    for (const [path, handler] of mounted(site, endpoints)) app.all(path, handler)
    return listen(site, app)
  },
})

const overKoa = (name: string, Make: typeof Koa): EndpointFramework => ({
  name,
  hasParser: true,
  serve(site) {
    const app = new Make()
    app.silent = true
    if (site.parsed) app.use(parseInKoa)
    const router = new Router()
    const endpoints = forKoa.tokenEndpoints(site.authority, site.shared ?? {})
    for (const [path, handler] of mounted(site, endpoints)) router.all(path, handler)
    app.use(router.routes())
    return listen(site, app.callback())
  },
})

/** As the parsers for Koa do: the application replies 400 to a malformed body, and a repeated field becomes a list. */
async function parseInKoa(context: Koa.Context, next: Koa.Next): Promise<void> {
  const type = context.is('application/x-www-form-urlencoded', 'application/json')
  if (type) {
    const parts: Buffer[] = []
    for await (const part of context.req) parts.push(part as Buffer)
    const text = Buffer.concat(parts).toString()
    const body = type === 'application/json' ? JSON.parse(text) : formOf(text)
    Object.assign(context.request, { body })
  }
  await next()
}

function formOf(text: string): Record<string, string | string[]> {
  const form = new URLSearchParams(text)
  const names = [...new Set(form.keys())]
  return Object.fromEntries(
    names.map((name) => {
      const values = form.getAll(name)
      return [name, values.length > 1 ? values : (values[0] as string)]
    }),
  )
}

const overFastify: EndpointFramework = {
  name: 'fastify 5',
  hasParser: false,
  async serve(site) {
    const options = site.secure ? { https: TLS_SERVER } : {}
    const app = fastify(options as object)
    const endpoints = forFastify.tokenEndpoints(site.authority, site.shared ?? {})
    for (const [prefix, plugin] of mounted(site, endpoints)) await app.register(plugin, { prefix })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return {
      port: (app.server.address() as AddressInfo).port,
      async close() {
        app.server.closeAllConnections?.()
        await app.close()
      },
    }
  },
}

const overHono: EndpointFramework = {
  name: 'hono 4',
  hasParser: true,
  serve(site) {
    const app = new Hono()
    if (site.parsed) {
      app.use(async (c, next) => {
        const type = c.req.header('content-type') ?? ''
        if (type.startsWith('application/json')) await c.req.json().catch(() => undefined)
        else if (type !== '') await c.req.parseBody()
        await next()
      })
    }
    const endpoints = forHono.tokenEndpoints(site.authority, site.shared ?? {})
    for (const [path, handler] of mounted(site, endpoints)) app.all(path, handler)
    return listen(site, getRequestListener(app.fetch))
  },
}

const overNode: EndpointFramework = {
  name: 'node:http',
  hasParser: false,
  serve(site) {
    const endpoints = forNode.tokenEndpoints(site.authority, site.shared ?? {})
    const handlers = new Map(mounted(site, endpoints))
    return listen(site, (request, response) => {
      const handler = handlers.get(request.url?.split('?', 1)[0] ?? '')
      if (handler === undefined) response.writeHead(404).end()
      else handler(request, response)
    })
  },
}

/** Every framework, in every major version that is supported. */
export const ENDPOINT_FRAMEWORKS: readonly EndpointFramework[] = [
  overExpress('express 4', express4),
  overExpress('express 5', express),
  overKoa('koa 2', koa2),
  overKoa('koa 3', Koa),
  overFastify,
  overHono,
  overNode,
]

/** Headers of the server about itself and the connection; all others come from the endpoint. */
const OF_THE_SERVER = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
  'x-powered-by',
])

/** The part of a response that comes from an endpoint. */
export function whole({ status, headers, body }: Reply): Reply {
  const kept = Object.entries(headers).filter(([name]) => !OF_THE_SERVER.has(name))
  return { status, headers: Object.fromEntries(kept.sort()), body }
}
