/**
 * Handlers of Web requests, without a framework: `(request: Request) => Response`, on any runtime.
 *
 * @module
 */
import type { WatchSignal } from '../types.js'
import { keepAuth, keepNamed } from './auth.js'
import { checkHandler } from './authority-check.js'
import { makeGuard } from './bearer.js'
import { cutHandler, cutResponse } from './cut.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import type { RequestAdapter } from './request-adapter.js'
import {
  isEncryptedIn,
  joinedAuthorization,
  nodeRequestOf,
  nodeResponseOf,
  responseOf,
  withHeaders,
} from './web-request.js'

export { authOf, optionalAuthOf } from './auth.js'
export type { LogFields } from './log-fields.js'
export { logFields } from './log-fields.js'
export type { TokenAuthority, TokenOptions } from './options.js'

/** The other arguments that the adapter passes with each request. */
const environments = new WeakMap<Request, unknown>()

const ADAPTER: RequestAdapter<Request> = {
  authorization: ({ headers }) => joinedAuthorization(headers.get('authorization')),
  url: ({ url }) => url,
  // The body of a Web request is parsed only when the handler reads it.
  form: () => undefined,
  isSecure: (request) => isEncryptedIn(environments.get(request)),
  context: ({ method, headers }) => {
    const userAgent = headers.get('user-agent')
    return userAgent === null ? { method } : { method, userAgent }
  },
}

/**
 * Wraps a handler of Web requests: it runs only for requests with a valid token and reads the principal with {@link
 * authOf}. Further arguments of the framework are passed on. `throwErrors` has no effect: a rejection is always a
 * response. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * A Web request does not show whether it came over TLS, because the client controls the scheme of its URL. With
 * `rotateDue`, set `isSecure`; without it, a successor is sent only if the adapter passes Node's request on and its
 * socket is encrypted, as @hono/node-server does.
 *
 * @example
 * ```ts
 * import { authOf, protect } from 'watchword/web'
 *
 * export const GET = protect(watchword, (request) => Response.json(authOf(request).subject), {
 *   scopes: ['orders:read'],
 * })
 * ```
 */
export function protect<Claims, R extends Request = Request, Rest extends unknown[] = []>(
  authority: TokenAuthority<Claims>,
  handler: (request: R, ...rest: Rest) => Response | Promise<Response>,
  ...options: [options?: TokenOptions<R>]
): (request: R, ...rest: Rest) => Promise<Response> {
  checkHandler(handler)
  const guard = makeGuard<R, Claims>(authority, options, ADAPTER, 'protect')
  const { property } = guard.options
  return async (request, ...rest) => {
    environments.set(request, rest[0])
    let headers: Readonly<Record<string, string>> = {}
    let life: WatchSignal | undefined
    const refused = guard.admit(request, await guard.check(request), (passed) => {
      keepAuth(request, passed)
      keepNamed(request, property, passed)
      headers = passed.headers
      life = passed.life
    })
    if (refused !== undefined) return responseOf(refused)
    const run = async () => withHeaders(await handler(request, ...rest), headers)
    if (life === undefined) return run()
    const watched = life
    const [incoming, outgoing] = [nodeRequestOf(rest[0]), nodeResponseOf(rest[0])]
    if (incoming === undefined || outgoing === undefined) {
      return cutHandler(watched, request, run, () => responseOf(guard.ended(request, watched)))
    }
    cutResponse(watched, incoming, outgoing)
    return run()
  }
}
