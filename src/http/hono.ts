/**
 * Hono 4, on any runtime. For handlers of Web requests without a framework, use `watchword/web`.
 *
 * @module
 */
import type { ServerResponse } from 'node:http'
import type { Context, MiddlewareHandler, Next } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Verified, WatchSignal } from '../types.js'
import { keepAuth } from './auth.js'
import { makeGuard } from './bearer.js'
import { cutHandler, cutResponse, isUpgrade } from './cut.js'
import { isForm, readWebStream } from './endpoints/body.js'
import type { EndpointAdapter } from './endpoints/endpoint.js'
import { makeEndpoints, type TokenEndpoints } from './endpoints/endpoints.js'
import type { EndpointAuthority, EndpointsOptions } from './endpoints/options.js'
import { closeIfUnread } from './endpoints/unread.js'
import { hasFunctions, wrongCaller } from './framework-check.js'
import { authorizationOf } from './incoming.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import type { Answer } from './problem.js'
import { type Refusal, type RefusalError, refusalError } from './refusal.js'
import type { RequestAdapter } from './request-adapter.js'
import {
  isEncryptedIn,
  joinedAuthorization,
  nodeRequestOf,
  nodeResponseOf,
  responseOf,
} from './web-request.js'

export { authOf, optionalAuthOf } from './auth.js'
export type * from './framework-types.js'
export { logFields } from './log-fields.js'

/** The variables that the guard adds to a context. */
export interface TokenVariables<Auth> {
  /** The principal of the request. */
  readonly auth: Auth
}

type GuardedContext<Claims> = Context<{ Variables: TokenVariables<Verified<Claims> | undefined> }>

const ADAPTER: RequestAdapter<Context> = {
  authorization: (c) => {
    const node = nodeRequestOf(c.env)
    if (node !== undefined) return authorizationOf(node)
    return joinedAuthorization(c.req.header('authorization'))
  },
  url: ({ req }) => req.url,
  // Hono parses a body only when the handler reads it, so there is none yet.
  form: () => undefined,
  isSecure: ({ env }) => isEncryptedIn(env),
  context: (c) => {
    const requestId: unknown = c.get('requestId')
    const { routePath } = c.req
    const userAgent = c.req.header('user-agent')
    return {
      method: c.req.method,
      // This is the pattern of the guard; a guard for many routes does not know the pattern of the route.
      ...(routePath.endsWith('*') ? {} : { route: routePath }),
      ...(userAgent === undefined ? {} : { userAgent }),
      ...(typeof requestId === 'string' ? { requestId } : {}),
    }
  },
}

/**
 * Creates a guard: it passes requests whose valid token meets the requirement, and otherwise responds per RFC 6750.
 * Handlers read the principal with `c.get('auth')`, with custom claims typed by the authority's schema. With
 * `throwErrors` it throws Hono's `HTTPException` with the fields of a `RefusalError`. Hono does not know the client's
 * address: provide it with `context`. Outside Node it does not know whether a request came over TLS: for `rotateDue`,
 * set `isSecure`. Throws `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import { Hono } from 'hono'
 * import { requireToken } from 'watchword/hono'
 *
 * const app = new Hono()
 * app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (c) => {
 *   return c.json({ subject: c.get('auth').subject })
 * })
 * ```
 */
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  options?: TokenOptions<Context> & { readonly optional?: false },
): MiddlewareHandler<{ Variables: TokenVariables<Verified<Claims>> }>
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  options: TokenOptions<Context>,
): MiddlewareHandler<{ Variables: TokenVariables<Verified<Claims> | undefined> }>
export function requireToken<Claims>(
  authority: TokenAuthority<Claims>,
  ...options: [options?: TokenOptions<Context>]
): unknown {
  const guard = makeGuard(authority, options, ADAPTER)
  const { property, throwErrors } = guard.options
  return async function requireToken(c: GuardedContext<Claims>, next: Next) {
    if (!hasFunctions(c.req, 'header')) throw wrongCaller('hono', 'a Hono context', c)
    let headers: Readonly<Record<string, string>> = {}
    let life: WatchSignal | undefined
    const refused = guard.admit(c, await guard.check(c), (passed) => {
      keepAuth(c, passed)
      c.set('auth', passed.auth)
      if (property !== undefined) c.set(property as 'auth', passed.auth)
      headers = passed.headers
      life = passed.life
    })
    if (refused === undefined) {
      await passOn(c, next, life, () => responseOf(guard.ended(c, life as WatchSignal)))
      // Set after the handler, so it cannot remove them from its response.
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
      return
    }
    if (!throwErrors) return responseOf(refused)
    throw exceptionOf(refused)
  }
}

/** Runs the handlers, and ends with the token what they leave open. */
async function passOn(
  c: Context,
  next: Next,
  life: WatchSignal | undefined,
  refuse: () => Response,
): Promise<void> {
  if (life === undefined) return next()
  const request = nodeRequestOf(c.env)
  const outgoing = nodeResponseOf(c.env)
  if (request !== undefined && (outgoing !== undefined || isUpgrade(request))) {
    cutResponse(life, request, outgoing as ServerResponse)
    return next()
  }
  const run = async () => {
    await next()
    return life.aborted ? new Response() : c.res
  }
  const response = await cutHandler(life, c.req.raw, run, refuse)
  // Assigning the same response would copy it.
  if (response !== c.res) c.res = response
}

/** Hono's exception with the fields of a `RefusalError`. */
function exceptionOf(refused: Refusal): HTTPException & RefusalError {
  const { stack: _, ...fields } = Object.getOwnPropertyDescriptors(refusalError(refused))
  const exception = new HTTPException(refused.status, { res: responseOf(refused) })
  // A body can be read once, and an error handler may request the response more than once.
  const getResponse = () => responseOf(refused)
  return Object.assign(Object.defineProperties(exception, fields), {
    getResponse,
  }) as HTTPException & RefusalError
}

/** An endpoint in the form of Hono. */
export type HonoEndpoint = (c: Context) => Promise<Response>

const ENDPOINT_ADAPTER: EndpointAdapter<Context> = {
  ...ADAPTER,
  method: ({ req }) => req.method,
  header: ({ req }, name) => req.header(name),
  body: async ({ req, env }, maxBytes) => {
    if (!req.raw.bodyUsed) {
      return readWebStream(req.raw.body, maxBytes, (reader) => {
        // On Node, cancelling the stream would destroy the socket before the response is sent.
        if (nodeRequestOf(env) === undefined) void reader.cancel().catch(() => undefined)
      })
    }
    // An earlier handler read the body, and Hono cached it in the requested format.
    if (!isForm(req.header('content-type') ?? '')) return { text: await req.text() }
    const fields = new URLSearchParams()
    for (const [name, value] of await req.formData()) fields.append(name, String(value))
    return { text: fields.toString() }
  },
}

/**
 * The token endpoints: revocation (RFC 7009), introspection (RFC 7662), rotation by the holder, and leak reports. Mount
 * each for every method. Hono does not know the client's address: provide it with `context` for `limit`. Throws
 * `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * import { Hono } from 'hono'
 * import { tokenEndpoints } from 'watchword/hono'
 *
 * const app = new Hono()
 * const endpoints = tokenEndpoints(watchword)
 * app.all('/token/rotate', endpoints.rotation())
 * app.all('/token/leaked', endpoints.leak())
 * ```
 */
export function tokenEndpoints<Claims>(
  authority: EndpointAuthority<Claims>,
  ...options: readonly [options?: EndpointsOptions<Context>]
): TokenEndpoints<Context, HonoEndpoint, Claims> {
  const mount = (respond: (c: Context) => Promise<Answer>) => async (c: Context) => {
    const answer = await respond(c)
    const [request, response] = [nodeRequestOf(c.env), nodeResponseOf(c.env)]
    if (request !== undefined && response !== undefined) closeIfUnread(request, response)
    return responseOf(answer)
  }
  return makeEndpoints(authority, options, ENDPOINT_ADAPTER, mount)
}
