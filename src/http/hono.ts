/**
 * Hono 4 on any runtime, and a wrapper for handlers of Web requests without a framework.
 *
 * @module
 */
import type { Context, MiddlewareHandler, Next } from 'hono'
import type { Verified } from '../types.js'
import { keepAuth, keepNamed } from './auth.js'
import { makeGuard } from './bearer.js'
import type { Carrier } from './carrier.js'
import { isForm, readWebStream } from './endpoints/body.js'
import type { EndpointCarrier } from './endpoints/endpoint.js'
import { makeEndpoints, type TokenEndpoints } from './endpoints/endpoints.js'
import type { EndpointAuthority, EndpointsOptions } from './endpoints/options.js'
import { authorizationOf, type Incoming, isEncrypted } from './incoming.js'
import type { TokenAuthority, TokenOptions } from './options.js'
import { bare, own } from './own.js'
import { type Answer, refusalError } from './refusal.js'

export { authOf, optionalAuthOf } from './auth.js'
export type { TokenEndpoints } from './endpoints/endpoints.js'
export type {
  AuthorizedOptions,
  Caller,
  EndpointAuthority,
  EndpointCall,
  EndpointName,
  EndpointsOptions,
  IntrospectionOptions,
  LeakOptions,
  LimitAnswer,
  ReadCall,
  RevocationOptions,
  RotationOptions,
} from './endpoints/options.js'
export type { TokenAuthority, TokenOptions } from './options.js'
export type { RefusalError } from './refusal.js'

/** What the guard adds to the variables of a context. */
export interface TokenVariables<Auth> {
  /** Who sent the request. */
  readonly auth: Auth
}

type GuardedContext<Claims> = Context<{ Variables: TokenVariables<Verified<Claims> | undefined> }>

type NodeRequest = Incoming & Parameters<typeof isEncrypted>[0]

// On a Node server the request underneath still has each header by itself, and its socket.
function nodeRequestOf({ env }: Context): NodeRequest | undefined {
  const incoming = own(env, 'incoming') as Partial<NodeRequest> | undefined
  return Array.isArray(incoming?.rawHeaders) && incoming.headers !== undefined
    ? (incoming as NodeRequest)
    : undefined
}

// A Web request has joined the headers of one name; the decision tells a list from a token.
const joined = (value: string | null | undefined): readonly string[] =>
  value === null || value === undefined ? [] : [value]

const isHttps = (url: string): boolean => url.startsWith('https:')

const CARRIER: Carrier<Context> = {
  authorization: (c) => {
    const node = nodeRequestOf(c)
    return node === undefined ? joined(c.req.header('authorization')) : authorizationOf(node)
  },
  url: ({ req }) => req.url,
  // Hono parses a body when the handler asks for it, so there is none by now.
  form: () => undefined,
  isSecure: (c) => {
    const node = nodeRequestOf(c)
    return node === undefined ? isHttps(c.req.url) : isEncrypted(node)
  },
  context: (c) => {
    const requestId: unknown = c.get('requestId')
    const { routePath } = c.req
    return {
      method: c.req.method,
      // The pattern of the guard itself, which for one that guards many routes is none of theirs.
      ...(routePath.endsWith('*') ? {} : { route: routePath }),
      ...(typeof requestId === 'string' ? { requestId } : {}),
    }
  },
}

const responseOf = ({ status, headers, body }: Answer): Response =>
  new Response(body === '' ? null : body, bare({ status, headers }))

/**
 * A guard: lets a request pass when it carries a good token that meets the requirement, and otherwise answers it, as
 * RFC 6750 has it. Handlers read who it is by `c.get('auth')`, with the custom claims typed as the authority's schema has
 * them. Hono does not know the client's address: give it by `context`, for observation. Throws `ERR_INVALID_OPTION` or
 * `ERR_INVALID_ARGUMENT`.
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
  const guard = makeGuard(authority, options, CARRIER)
  const { property, throwErrors } = guard.options
  return async function requireToken(c: GuardedContext<Claims>, next: Next) {
    let headers: Readonly<Record<string, string>> = {}
    const refused = guard.admit(c, await guard.check(c), (passed) => {
      keepAuth(c, passed)
      c.set('auth', passed.auth)
      if (property !== undefined) c.set(property as 'auth', passed.auth)
      headers = passed.headers
    })
    if (refused === undefined) {
      await next()
      // After the handler, so that they are on whatever response it made, and none of them can be taken back.
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
      return
    }
    if (!throwErrors) return responseOf(refused)
    const error = refusalError(refused)
    // What Hono's own error handler asks for.
    throw Object.assign(error, { getResponse: () => responseOf(refused) })
  }
}

const WEB_CARRIER: Carrier<Request> = {
  authorization: ({ headers }) => joined(headers.get('authorization')),
  url: ({ url }) => url,
  form: () => undefined,
  isSecure: ({ url }) => isHttps(url),
  context: ({ method }) => ({ method }),
}

/**
 * Wraps a handler of Web requests, with whatever else its framework passes: it runs only for requests that carry a good
 * token, and reads who it is by {@link authOf}. A refusal is always answered: `throwErrors` has no effect. Throws
 * `ERR_INVALID_OPTION` or `ERR_INVALID_ARGUMENT`.
 *
 * @example
 * ```ts
 * import { authOf, protect } from 'watchword/hono'
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
  const guard = makeGuard<R, Claims>(authority, options, WEB_CARRIER)
  const { property } = guard.options
  return async (request, ...rest) => {
    let headers: Readonly<Record<string, string>> = {}
    const refused = guard.admit(request, await guard.check(request), (passed) => {
      keepAuth(request, passed)
      keepNamed(request, property, passed)
      headers = passed.headers
    })
    if (refused !== undefined) return responseOf(refused)
    return withHeaders(await handler(request, ...rest), headers)
  }
}

function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const entries = Object.entries(headers)
  if (entries.length === 0) return response
  // A copy, since the headers of a response that was fetched or redirected cannot be changed.
  const { status, statusText } = response
  const copy = new Response(response.body, { status, statusText, headers: response.headers })
  for (const [name, value] of entries) copy.headers.set(name, value)
  return copy
}

/** An endpoint in the form of Hono. */
export type HonoEndpoint = (c: Context) => Promise<Response>

const ENDPOINT_CARRIER: EndpointCarrier<Context> = {
  ...CARRIER,
  method: ({ req }) => req.method,
  header: ({ req }, name) => req.header(name),
  body: async ({ req }, maxBytes) => {
    if (!req.raw.bodyUsed) return readWebStream(req.raw.body, maxBytes)
    // Read by a handler before, and kept by Hono in a form that depends on who asked.
    if (!isForm(req.header('content-type') ?? '')) return { text: await req.text() }
    const fields = new URLSearchParams()
    for (const [name, value] of await req.formData()) fields.append(name, String(value))
    return { text: fields.toString() }
  },
}

/**
 * The token endpoints: revocation (RFC 7009), introspection (RFC 7662), rotation by the holder, and leak reports.
 * Mount each for every method. Hono does not know the client's address: give it by `context`, for
 * `limit` to count by. Throws `ERR_INVALID_OPTION`.
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
  options: EndpointsOptions<Context> = {},
): TokenEndpoints<Context, HonoEndpoint, Claims> {
  const mount = (answer: (c: Context) => Promise<Answer>) => async (c: Context) =>
    responseOf(await answer(c))
  return makeEndpoints(authority, options, ENDPOINT_CARRIER, mount)
}
