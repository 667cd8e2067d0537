/**
 * Fastify 5: a guard for a route or a context, and a plugin that guards its whole context.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { keepAuth, keepNamed } from './auth.js'
import { type Guard, makeGuard, type Outcome } from './bearer.js'
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

/** The used part of Fastify's reply. */
export interface FastifyReplyLike {
  readonly raw: object
  readonly sent: boolean
  code(status: number): unknown
  headers(fields: Readonly<Record<string, string>>): unknown
  send(body?: Uint8Array): unknown
}

/** A guard in the form of an `onRequest` hook. */
export type FastifyGuard = (
  request: object,
  reply: FastifyReplyLike,
  done: (error?: Error) => void,
) => void

/** The used part of Fastify's instance. */
export interface FastifyInstanceLike {
  addHook(name: 'onRequest', hook: FastifyGuard): unknown
}

/** A plugin without options and without its own context. */
export type FastifyGuardPlugin = (
  instance: FastifyInstanceLike,
  options: unknown,
  done: () => void,
) => void

const ADAPTER: RequestAdapter<FastifyRequest> = {
  authorization: ({ raw }) => authorizationOf(raw as IncomingMessage),
  url: ({ url }) => url,
  form: ({ raw, body }) => formOf(raw as IncomingMessage, body),
  isSecure: ({ protocol }) => protocol === 'https',
  context: (request) => {
    const { method, ip, routeOptions } = request
    const { url: route } = routeOptions
    return {
      method,
      address: ip,
      ...(route === undefined ? {} : { route }),
      ...userAgentOf(request.raw as IncomingMessage),
      ...requestIdOf(request),
    }
  },
}

/**
 * Creates a guard: an `onRequest` hook that passes requests whose valid token meets the requirement, and otherwise
 * responds per RFC 6750 before the body is read. Handlers read the principal with {@link authOf}. Throws
 * `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import fastify from 'fastify'
 * import { authOf, requireToken } from 'watchword/fastify'
 *
 * const app = fastify()
 * const onRequest = requireToken(watchword, { scopes: ['orders:read'] })
 * app.get('/orders', { onRequest }, async (request) => ({ subject: authOf(request).subject }))
 * ```
 */
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  ...options: [options?: TokenOptions<FastifyRequest>]
): FastifyGuard {
  return guardHook(makeGuard<FastifyRequest, Claims>(authority, options, ADAPTER))
}

const USE_AS_HOOK =
  'pass it as the onRequest hook of a route, or register tokenPlugin(watchword) to guard every route'

function guardHook<Claims>(guard: Guard<FastifyRequest, Claims>): FastifyGuard {
  const { property, throwErrors } = guard.options
  return function requireToken(request, reply, done) {
    if (!hasFunctions(reply, 'code', 'send')) {
      const error = wrongCaller('fastify', 'a Fastify reply', reply, USE_AS_HOOK)
      // Fastify does not catch what a plugin throws.
      if (typeof done !== 'function') throw error
      done(error)
      return
    }
    const settle = (outcome: Outcome<Claims>): void => {
      const refused = guard.admit(request as FastifyRequest, outcome, (passed) => {
        keepAuth(request, passed)
        keepNamed(request, property, passed)
        reply.headers(passed.headers)
        if (carriesToken(passed.headers)) neverCached(reply.raw as ServerResponse)
        const { raw } = request as FastifyRequest
        cutResponse(passed.life, raw as IncomingMessage, reply.raw as ServerResponse)
      })
      if (refused === undefined) done()
      else if (throwErrors) done(refusalError(refused))
      else if (!reply.sent) {
        reply.code(refused.status)
        reply.headers(refused.headers)
        // Sent as bytes: Fastify adds a charset to JSON text, which this type does not have (RFC 9457, section 3).
        reply.send(Buffer.from(refused.body))
      }
    }
    const outcome = guard.check(request as FastifyRequest)
    if (outcome instanceof Promise) void outcome.then(settle)
    else settle(outcome)
  }
}

/**
 * Creates a plugin that guards every route of its context, including nested contexts and the response to unknown
 * routes. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import fastify from 'fastify'
 * import { authOf, tokenPlugin } from 'watchword/fastify'
 *
 * const app = fastify()
 * await app.register(tokenPlugin(watchword, { scopes: ['orders:read'] }))
 * app.get('/orders', async (request) => ({ subject: authOf(request).subject }))
 * ```
 */
export function tokenPlugin<Claims>(
  authority: TokenAuthority<Claims>,
  ...options: [options?: TokenOptions<FastifyRequest>]
): FastifyGuardPlugin {
  const guard = guardHook(
    makeGuard<FastifyRequest, Claims>(authority, options, ADAPTER, 'tokenPlugin'),
  )
  const plugin: FastifyGuardPlugin = (instance, _options, done) => {
    instance.addHook('onRequest', guard)
    done()
  }
  // Otherwise Fastify would give the plugin its own context, and the hook would guard nothing.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'watchword',
    [Symbol.for('plugin-meta')]: { name: 'watchword', fastify: '5.x' },
  })
}

/** The part of Fastify's instance used to mount an endpoint. */
export interface FastifyRouterLike {
  all(path: string, options: { readonly onRequest: FastifyGuard }, handler: () => void): unknown
}

/** An endpoint as a plugin. Its path is the `prefix` given to `register`. */
export type FastifyEndpoint = (
  instance: FastifyRouterLike,
  options: unknown,
  done: () => void,
) => void

const ENDPOINT_ADAPTER = {
  ...ADAPTER,
  ...nodeReading<FastifyRequest>(
    ({ raw }) => raw as IncomingMessage,
    ({ raw }) => (raw as { body?: unknown }).body,
  ),
}

/**
 * The token endpoints: revocation (RFC 7009), introspection (RFC 7662), rotation by the holder, and leak reports.
 * Register each with its path as `prefix`; `onRequest` hooks of the application run before it. Throws
 * `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * import fastify from 'fastify'
 * import { tokenEndpoints } from 'watchword/fastify'
 *
 * const app = fastify()
 * const endpoints = tokenEndpoints(watchword)
 * app.register(endpoints.rotation(), { prefix: '/token/rotate' })
 * app.register(endpoints.leak(), { prefix: '/token/leaked' })
 * ```
 */
export function tokenEndpoints<Claims>(
  authority: EndpointAuthority<Claims>,
  ...options: readonly [options?: EndpointsOptions<FastifyRequest>]
): TokenEndpoints<FastifyRequest, FastifyEndpoint, Claims> {
  return makeEndpoints(authority, options, ENDPOINT_ADAPTER, (respond) => {
    // Runs in a hook, before Fastify's parsers can reject types and lengths with their own messages.
    const onRequest: FastifyGuard = (request, reply) => {
      void respond(request as FastifyRequest).then(({ status, headers, body }) => {
        if (reply.sent) return
        const { raw } = request as FastifyRequest
        closeIfUnread(raw as IncomingMessage, reply.raw as ServerResponse)
        reply.code(status)
        reply.headers(headers)
        // Fastify sets a content type for bytes, even for an empty body.
        if (body === '') reply.send()
        else reply.send(Buffer.from(body))
      })
    }
    return (instance, _options, done) => {
      instance.all('/', { onRequest }, () => undefined)
      done()
    }
  })
}
