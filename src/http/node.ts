/**
 * `node:http`, without a framework: a guard for Connect-like routers, and a wrapper for one handler.
 *
 * No framework's guard sees upgrades: for a WebSocket handshake Node emits `'upgrade'` instead of `'request'`, and no
 * middleware runs. {@link protectUpgrade} guards them.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Verified } from '../types.js'
import { checkHandler } from './authority-check.js'
import { makeGuard } from './bearer.js'
import { type ConnectGuard, connectGuard } from './connect.js'
import { makeEndpoints, type TokenEndpoints } from './endpoints/endpoints.js'
import type { EndpointAuthority, EndpointsOptions } from './endpoints/options.js'
import { type ConnectEndpoint, connectEndpoint, nodeReading } from './endpoints/request-adapters.js'
import { authorizationOf, formOf, isEncrypted, requestIdOf, send, userAgentOf } from './incoming.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import type { RefusalError } from './refusal.js'
import type { RequestAdapter } from './request-adapter.js'
import {
  guardUpgrades,
  makeUpgradeGuard,
  type UpgradeOptions,
  type UpgradeServer,
} from './upgrade.js'

export { authOf, optionalAuthOf } from './auth.js'
export type { ChallengeParams } from './challenge.js'
export { formatChallenge } from './challenge.js'
export type { ConnectGuard } from './connect.js'
export type { ConnectEndpoint } from './endpoints/request-adapters.js'
export type * from './framework-types.js'
export { logFields } from './log-fields.js'
export type { UpgradeListener, UpgradeOptions, UpgradeServer } from './upgrade.js'

// The requests of a server always have a method and a target; Node's types include the responses of a client.
const ADAPTER: RequestAdapter<IncomingMessage> = {
  authorization: authorizationOf,
  url: ({ url }) => url as string,
  form: (request) => formOf(request, (request as { body?: unknown }).body),
  isSecure: isEncrypted,
  context: (request) => {
    const { method, socket } = request
    return {
      method: method as string,
      // The peer of the connection: `node:http` has no setting for trusted proxies.
      ...(socket.remoteAddress === undefined ? {} : { address: socket.remoteAddress }),
      ...userAgentOf(request),
      ...requestIdOf(request as { id?: unknown }),
    }
  },
}

/**
 * Creates a guard for routers that call `(request, response, next)`. It does not guard `server.on('upgrade')`. Throws
 * `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { authOf, requireToken } from 'watchword/node'
 *
 * const guard = requireToken(watchword, { scopes: ['orders:read'] })
 * createServer((request, response) => {
 *   guard(request, response, () => response.end(authOf(request).subject))
 * }).close()
 * ```
 */
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  ...options: [options?: TokenOptions<IncomingMessage>]
): ConnectGuard {
  return connectGuard(makeGuard(authority, options, ADAPTER), 'node')
}

/**
 * Wraps a handler: it runs only for requests with a valid token. `throwErrors` has no effect, because there is no error
 * handler. It does not guard `server.on('upgrade')`. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { authOf, protect } from 'watchword/node'
 *
 * const handler = protect(watchword, (request, response) => {
 *   response.end(`hello, ${authOf(request).subject}`)
 * })
 * createServer(handler).close()
 * ```
 */
export function protect<Claims>(
  authority: TokenAuthority<Claims>,
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
  ...options: [options?: TokenOptions<IncomingMessage>]
): (request: IncomingMessage, response: ServerResponse) => void {
  checkHandler(handler)
  const guard = connectGuard(makeGuard(authority, options, ADAPTER, 'protect'), 'node')
  return (request, response) => {
    guard(request, response, (error) => {
      if (error === undefined) handler(request, response)
      else send(response, (error as RefusalError).answer)
    })
  }
}

/** What accepts an upgrade, such as `handleUpgrade` of a WebSocket server. */
export type UpgradeHandler<Claims> = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  auth: Verified<Claims>,
) => unknown

/**
 * Guards the upgrades of a server, such as WebSockets: the handler runs only for requests with a valid token, and the
 * socket is destroyed once the token ends, as with `cut`. Any other request is refused with a response and closed. Reads
 * the token from the `Authorization` header; browsers cannot set it for a WebSocket, so for them pass `getToken`.
 *
 * A server has one guard for all its upgrades; the handler tells paths apart. Returns a function that removes it.
 * Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { protectUpgrade } from 'watchword/node'
 *
 * const server = createServer()
 * protectUpgrade(server, watchword, { scopes: ['socket:open'] }, (request, socket, head, auth) => {
 *   console.log(`${auth.subject} connects to ${request.url}`)
 *   socket.end()
 * })
 * ```
 */
export function protectUpgrade<Claims>(
  server: UpgradeServer,
  authority: TokenAuthority<Claims>,
  options: UpgradeOptions,
  handler: UpgradeHandler<Claims>,
): () => void {
  return guardUpgrades(server, handler, makeUpgradeGuard(authority, options, ADAPTER))
}

const ENDPOINT_ADAPTER = {
  ...ADAPTER,
  ...nodeReading<IncomingMessage>(
    (request) => request,
    (request) => (request as { body?: unknown }).body,
  ),
}

/**
 * The token endpoints: revocation (RFC 7009), introspection (RFC 7662), rotation by the holder, and leak reports.
 * Each is a request listener. Throws `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { tokenEndpoints } from 'watchword/node'
 *
 * const rotate = tokenEndpoints(watchword).rotation()
 * createServer((request, response) => {
 *   if (request.url === '/token/rotate') rotate(request, response)
 *   else response.writeHead(404).end()
 * }).close()
 * ```
 */
export function tokenEndpoints<Claims>(
  authority: EndpointAuthority<Claims>,
  ...options: readonly [options?: EndpointsOptions<IncomingMessage>]
): TokenEndpoints<IncomingMessage, ConnectEndpoint, Claims> {
  return makeEndpoints(authority, options, ENDPOINT_ADAPTER, connectEndpoint<IncomingMessage>)
}
