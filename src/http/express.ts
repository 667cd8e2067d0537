/**
 * Express 4 and 5: a guard for an application, a router or a route.
 *
 * @module
 */
import type { Request } from 'express'
import { makeGuard } from './bearer.js'
import { type ConnectGuard, connectGuard } from './connect.js'
import { makeEndpoints, type TokenEndpoints } from './endpoints/endpoints.js'
import type { EndpointAuthority, EndpointsOptions } from './endpoints/options.js'
import { type ConnectEndpoint, connectEndpoint, nodeReading } from './endpoints/request-adapters.js'
import { authorizationOf, formOf, requestIdOf, userAgentOf } from './incoming.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import type { RequestAdapter } from './request-adapter.js'

export { authOf, optionalAuthOf } from './auth.js'
export type { ConnectGuard } from './connect.js'
export type { ConnectEndpoint } from './endpoints/request-adapters.js'
export type * from './framework-types.js'
export { logFields } from './log-fields.js'

/** The used part of Express's request; both versions have it. */
const ADAPTER: RequestAdapter<Request> = {
  authorization: authorizationOf,
  url: ({ url }) => url,
  form: (request) => formOf(request, request.body),
  isSecure: ({ secure }) => secure,
  context: (request) => {
    const { method, ip, route } = request
    const pattern: unknown = (route as { path?: unknown } | undefined)?.path
    return {
      method,
      ...(typeof pattern === 'string' ? { route: pattern } : {}),
      ...(ip === undefined ? {} : { address: ip }),
      ...userAgentOf(request),
      ...requestIdOf(request as { id?: unknown }),
    }
  },
}

/**
 * Creates a guard: it passes requests whose valid token meets the requirement, and otherwise responds per RFC 6750.
 * Handlers read the principal with {@link authOf}. It applies to every method, including `HEAD` and `OPTIONS`. Throws
 * `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import express from 'express'
 * import { authOf, requireToken } from 'watchword/express'
 *
 * const app = express()
 * app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (request, response) => {
 *   response.json({ subject: authOf(request).subject })
 * })
 * ```
 */
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  ...options: [options?: TokenOptions<Request>]
): ConnectGuard {
  return connectGuard(makeGuard(authority, options, ADAPTER), 'express')
}

const ENDPOINT_ADAPTER = {
  ...ADAPTER,
  ...nodeReading<Request>(
    (request) => request,
    ({ body }) => body,
  ),
}

/**
 * The token endpoints: revocation (RFC 7009), introspection (RFC 7662), rotation by the holder, and leak reports.
 * Mount each for every method, before or after a body parser. Throws `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * import express from 'express'
 * import { tokenEndpoints } from 'watchword/express'
 *
 * const app = express()
 * const endpoints = tokenEndpoints(watchword)
 * app.all('/token/rotate', endpoints.rotation())
 * app.all('/token/leaked', endpoints.leak())
 * ```
 */
export function tokenEndpoints<Claims>(
  authority: EndpointAuthority<Claims>,
  ...options: readonly [options?: EndpointsOptions<Request>]
): TokenEndpoints<Request, ConnectEndpoint, Claims> {
  return makeEndpoints(authority, options, ENDPOINT_ADAPTER, connectEndpoint<Request>)
}
