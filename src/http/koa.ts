/**
 * Koa 2 and 3: a guard for an application, a router or a route.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'koa'
import { keepAuth, keepNamed } from './auth.js'
import { makeGuard } from './bearer.js'
import { cutResponse } from './cut.js'
import { makeEndpoints, type TokenEndpoints } from './endpoints/endpoints.js'
import type { EndpointAuthority, EndpointsOptions } from './endpoints/options.js'
import { nodeReading } from './endpoints/request-adapters.js'
import { closeIfUnread } from './endpoints/unread.js'
import { hasFunctions, wrongCaller } from './framework-check.js'
import {
  authorizationOf,
  carriesToken,
  formOf,
  neverCached,
  requestIdOf,
  userAgentOf,
} from './incoming.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import { refusalError } from './refusal.js'
import type { RequestAdapter } from './request-adapter.js'

export { authOf, optionalAuthOf } from './auth.js'
export type * from './framework-types.js'
export { logFields } from './log-fields.js'

/** The used part of Koa's context; both versions have it. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly request: object
  readonly state: object
  readonly url: string
  readonly method: string
  readonly secure: boolean
  readonly ip: string
  status: number
  body: unknown
  set(fields: { [name: string]: string }): void
}

/** A guard in the form of Koa. */
export type KoaGuard = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>

const ADAPTER: RequestAdapter<KoaContext> = {
  authorization: ({ req }) => authorizationOf(req),
  url: ({ url }) => url,
  form: ({ req, request }) => formOf(req, (request as { body?: unknown }).body),
  isSecure: ({ secure }) => secure,
  context: (context) => {
    const { method, ip, req } = context
    // @koa/router stores the pattern here after choosing a route.
    const { _matchedRoute: route } = context as { _matchedRoute?: unknown }
    return {
      method,
      address: ip,
      ...(typeof route === 'string' ? { route } : {}),
      ...userAgentOf(req),
      ...requestIdOf(req as { id?: unknown }),
    }
  },
}

/**
 * Creates a guard: it passes requests whose valid token meets the requirement, and otherwise responds per RFC 6750.
 * Later middleware reads the principal with {@link authOf} and the context; `property` is a property of `ctx.state`.
 * Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * Mount it on the application (`app.use(guard)`), on each route (`router.get(path, guard, handler)`), or with a path
 * before a nested router (`router.use('/admin', guard)`, then `router.use('/admin', inner.routes())`). Do not mount it
 * with `router.use(guard)` on a router with a prefix: `@koa/router` matches the prefix case-sensitively for such
 * middleware but not for routes, so `/ADMIN/orders` bypasses the guard. Handlers that call `authOf` then fail instead
 * of running unguarded.
 *
 * @example
 * ```ts
 * import Koa from 'koa'
 * import { authOf, requireToken } from 'watchword/koa'
 *
 * const app = new Koa()
 * app.use(requireToken(watchword, { scopes: ['orders:read'] }))
 * app.use((ctx) => {
 *   ctx.body = { subject: authOf(ctx).subject }
 * })
 * ```
 */
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  ...options: [options?: TokenOptions<Context>]
): KoaGuard {
  const guard = makeGuard<Context, Claims>(authority, options, ADAPTER)
  const { property, throwErrors } = guard.options
  return async function requireToken(context, next) {
    // A context of Hono has `set` as well, but no `state`.
    if (!hasFunctions(context, 'set') || typeof context.state !== 'object')
      throw wrongCaller('koa', 'a Koa context', context)
    const koa = context as Context
    const refused = guard.admit(koa, await guard.check(koa), (passed) => {
      keepAuth(context, passed)
      keepNamed(context.state, property, passed)
      context.set(passed.headers)
      if (carriesToken(passed.headers)) neverCached(context.res)
      cutResponse(passed.life, context.req, context.res)
    })
    if (refused === undefined) {
      await next()
      return
    }
    if (throwErrors) throw refusalError(refused)
    context.status = refused.status
    context.set(refused.headers)
    context.body = refused.body
  }
}

/** An endpoint as Koa middleware: it responds and does not call `next`. */
export type KoaEndpoint = (context: KoaContext) => Promise<void>

const ENDPOINT_ADAPTER = {
  ...ADAPTER,
  ...nodeReading<KoaContext>(
    ({ req }) => req,
    ({ request }) => (request as { body?: unknown }).body,
  ),
}

/**
 * The token endpoints: revocation (RFC 7009), introspection (RFC 7662), rotation by the holder, and leak reports.
 * Mount each for every method, before or after a body parser. Throws `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * import Router from '@koa/router'
 * import { tokenEndpoints } from 'watchword/koa'
 *
 * const router = new Router()
 * const endpoints = tokenEndpoints(watchword)
 * router.all('/token/rotate', endpoints.rotation())
 * router.all('/token/leaked', endpoints.leak())
 * ```
 */
export function tokenEndpoints<Claims>(
  authority: EndpointAuthority<Claims>,
  ...options: readonly [options?: EndpointsOptions<Context>]
): TokenEndpoints<Context, KoaEndpoint, Claims> {
  return makeEndpoints(authority, options, ENDPOINT_ADAPTER, (respond) => async (context) => {
    const { status, headers, body } = await respond(context as Context)
    closeIfUnread(context.req, context.res)
    context.status = status
    context.set(headers)
    context.body = body
    // Koa sets a content type for text, even for an empty body.
    if (body === '') context.res.removeHeader('content-type')
  })
}
