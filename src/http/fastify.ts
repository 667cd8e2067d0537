/**
 * Fastify 5: a guard for a route or a context, and a plugin that guards all of the context it is registered in.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { keepAuth, keepNamed } from './auth.js'
import { type Carrier, makeGuard, type Outcome } from './bearer.js'
import { authorizationOf, formOf, neverCached, requestIdOf } from './incoming.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import { refusalError } from './refusal.js'

export { authOf, optionalAuthOf } from './auth.js'
export type { TokenAuthority, TokenOptions } from './options.js'
export type { RefusalError } from './refusal.js'

/** What is used of Fastify's reply. */
export interface FastifyReplyLike {
  readonly raw: object
  readonly sent: boolean
  code(status: number): unknown
  headers(fields: Readonly<Record<string, string>>): unknown
  send(body: Uint8Array): unknown
}

/** A guard in the form of an `onRequest` hook. */
export type FastifyGuard = (
  request: object,
  reply: FastifyReplyLike,
  done: (error?: Error) => void,
) => void

/** What is used of Fastify's instance. */
export interface FastifyInstanceLike {
  addHook(name: 'onRequest', hook: FastifyGuard): unknown
}

/** A plugin that does without options and without a context of its own. */
export type FastifyGuardPlugin = (
  instance: FastifyInstanceLike,
  options: unknown,
  done: () => void,
) => void

const CARRIER: Carrier<FastifyRequest> = {
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
      ...requestIdOf(request),
    }
  },
}

/**
 * A guard: an `onRequest` hook that lets a request pass when it carries a good token that meets the requirement, and
 * otherwise answers it, as RFC 6750 has it, before the body is read. Handlers read who it is by {@link authOf}. Throws
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
  options: TokenOptions<FastifyRequest> = {},
): FastifyGuard {
  const guard = makeGuard<FastifyRequest, Claims>(authority, options, CARRIER)
  const { property, throwErrors } = guard.options
  return function requireToken(request, reply, done) {
    const settle = (outcome: Outcome<Claims>): void => {
      const refused = guard.admit(request as FastifyRequest, outcome, (passed) => {
        keepAuth(request, passed)
        keepNamed(request, property, passed)
        reply.headers(passed.headers)
        if ('token-successor' in passed.headers) neverCached(reply.raw as ServerResponse)
      })
      if (refused === undefined) done()
      else if (throwErrors) done(refusalError(refused))
      else if (!reply.sent) {
        reply.code(refused.status)
        reply.headers(refused.headers)
        // Bytes, since to JSON as text Fastify adds a charset, which the type does not have (RFC 9457, section 3).
        reply.send(Buffer.from(refused.body))
      }
    }
    const outcome = guard.check(request as FastifyRequest)
    if ('then' in outcome) void outcome.then(settle)
    else settle(outcome)
  }
}

/**
 * A plugin that guards every route of the context it is registered in, those of nested contexts and the answer to unknown
 * routes included. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
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
  options: TokenOptions<FastifyRequest> = {},
): FastifyGuardPlugin {
  const guard = requireToken(authority, options)
  const plugin: FastifyGuardPlugin = (instance, _options, done) => {
    instance.addHook('onRequest', guard)
    done()
  }
  // Without it, Fastify would give the plugin a context of its own, and the hook would guard nothing.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'watchword',
    [Symbol.for('plugin-meta')]: { name: 'watchword', fastify: '5.x' },
  })
}
