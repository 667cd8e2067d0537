/**
 * The options of the token endpoints, and the methods they need of an authority.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../../errors.js'
import { type Duration, MINUTE, parseDuration, SECOND } from '../../lib/duration.js'
import { invalidOption } from '../../lib/invalid.js'
import { issueText } from '../../lib/issue-text.js'
import { isName } from '../../lib/name.js'
import type { RequestContext } from '../../observe/channels.js'
import type { AnyClaims, Verified } from '../../types.js'
import { optionFields, refuseUndefined, type TokenAuthority } from '../options.js'
import {
  type BudgetsOptions,
  budgetsOf,
  budgetsSchema,
  NO_BUDGETS,
  type ResolvedBudgets,
} from './budgets.js'

export type { BudgetOptions, BudgetsOptions } from './budgets.js'

/** The methods of an authority that the token endpoints call. The result of `createWatchword` has them. */
export interface EndpointAuthority<Claims = AnyClaims> extends TokenAuthority<Claims> {
  rotate(
    token: string,
    options: { readonly actor: string; readonly binding?: string },
  ): Promise<{
    readonly token: string
    readonly scopes: readonly string[]
    readonly expiresAt: number
  }>
  revoke(
    target: { readonly token: string },
    options: { readonly actor: string; readonly reason?: string; readonly binding?: string },
  ): Promise<unknown>
}

/** The token endpoints. */
export type EndpointName =
  /** Revokes a token for an authenticated caller (RFC 7009). */
  | 'revocation'
  /** Returns the state and the claims of a token to an authenticated caller (RFC 7662). */
  | 'introspection'
  /** Rotates the bearer token of the request and returns its successor, over TLS only. */
  | 'rotation'
  /** Revokes a token that any client reports as leaked. */
  | 'leak'

/**
 * A call of an endpoint, for the hooks. `address` is the client's address as established by the framework's proxy
 * settings: use it for rate limits, never a header.
 */
export interface EndpointCall extends RequestContext {
  readonly endpoint: EndpointName
}

/** A call whose body was read. */
export interface ReadCall extends EndpointCall {
  /** The fields of the form, such as `client_id`; never the token. Empty for other bodies. */
  readonly fields: Readonly<Record<string, string>>
}

/** Whether a call may proceed, or how long the client must wait. */
export type LimitAnswer = boolean | { readonly retryAfter: Duration }

/** Decides about one call; a hook of {@link EndpointsOptions}. */
export type LimitHook<Request> = (
  call: EndpointCall,
  request: Request,
) => LimitAnswer | Promise<LimitAnswer>

/** The options shared by all endpoints of one authority. Every hook also receives the framework's own request. */
export interface EndpointsOptions<Request> {
  /**
   * Called first for every request: `true` lets it proceed, any other result is 429. If it throws or hangs, the
   * response is 503. Only a leak report proceeds, after one second at most, since revoking a token is always safe and
   * flooding the limiter must not block reports. Instead of a hook: budgets that replace the defaults, or `false` for
   * no limit. Default: for each client 20 rotations, 1000 introspections and 10 leak reports a second, for each token
   * 1, 100 and 1, and for all clients of this process 500, 5000 and 100, with bursts of some seconds; beyond that 429
   * with `Retry-After`.
   */
  readonly limit?: LimitHook<Request> | BudgetsOptions | false
  /**
   * The binding of the token, as passed to `issue`. Without it, a bound token is unknown, also to a leak report.
   * Default: none.
   */
  readonly binding?: (
    call: ReadCall,
    request: Request,
  ) => string | undefined | Promise<string | undefined>
  /** Adds to the published context of the request; for Hono, the `address`. Default: what the framework knows. */
  readonly context?: (request: Request) => RequestContext
  /** Called with each error that prevented the endpoint's work; the client receives 503. Default: none. */
  readonly onError?: (error: unknown, request: Request) => void
  /**
   * The timeout of `limit`, of the body, and of the remaining work. The response is then 503 or, for the body, 408.
   * Default: `'10s'`.
   */
  readonly timeout?: Duration
}

/** The authenticated caller of a protected endpoint. */
export interface Caller {
  /** The actor for the record of a revocation: 1 to 256 characters. */
  readonly actor: string
  /** The audiences whose tokens this caller may introspect. Default: all audiences of the authority. */
  readonly audiences?: readonly string[]
}

/** The options of a protected endpoint. */
export interface AuthorizedOptions<Request> {
  /**
   * Authenticates the caller. Return `undefined` for a caller without access, who receives 401. Required: there is no
   * default.
   */
  readonly authorize: (
    call: ReadCall,
    request: Request,
  ) => Caller | undefined | Promise<Caller | undefined>
  /** The challenge of the 401 response, one printable line. Default: `Basic realm="api"`. */
  readonly challenge?: string
}

/** The options of the revocation endpoint. */
export interface RevocationOptions<Request> extends AuthorizedOptions<Request> {}

/** The options of the introspection endpoint. */
export interface IntrospectionOptions<Request, Claims = AnyClaims>
  extends AuthorizedOptions<Request> {
  /** The issuer to report as `iss`. Default: `iss` is omitted. */
  readonly issuer?: string
  /**
   * Further members of the response, from custom claims or elsewhere; none replaces a standard member. Default: none.
   */
  readonly claims?: (auth: Verified<Claims>) => Readonly<Record<string, unknown>>
}

/** The options of the rotation endpoint. */
export interface RotationOptions {
  /**
   * Also issues tokens over plain HTTP: for local tests, and behind a TLS proxy that the framework cannot be configured
   * to trust. Default: `false`.
   */
  readonly allowHttp?: boolean
  /** The realm of the challenge. Default: `'api'`. */
  readonly realm?: string
  /**
   * Whether a rejection states its reason, such as `expired` or `revoked`. Default: `false`, because a thief would
   * learn it too.
   */
  readonly reasons?: boolean
}

/** The options of the endpoint for leak reports. */
export interface LeakOptions {
  /** The reason in the record of the revocation: 1 to 1024 characters. Default: `'reported as leaked'`. */
  readonly reason?: string
}

/** The shared options with defaults applied. */
export interface ResolvedEndpointsOptions<Request> {
  readonly limit: LimitHook<Request> | undefined
  /** The budgets used without a hook. */
  readonly budgets: ResolvedBudgets
  readonly binding: EndpointsOptions<Request>['binding']
  readonly context: EndpointsOptions<Request>['context']
  readonly onError: EndpointsOptions<Request>['onError']
  readonly timeoutMs: number
}

const DEFAULT_TIMEOUT_MS = 10 * SECOND
const MAX_TIMEOUT_MS = 10 * MINUTE
const DEFAULT_CHALLENGE = 'Basic realm="api"'
const DEFAULT_REASON = 'reported as leaked'

const hook = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'expected a function',
)
const flag = z.optional(z.boolean('expected true or false'))
const text = (max: number) =>
  z.optional(z.custom<string>((value) => isName(value, max), `expected 1 to ${max} characters`))
const line = z.optional(
  z
    .string('expected one line of printable ASCII')
    .check(z.regex(/^[ -~]{1,512}$/, 'expected one line of printable ASCII')),
)
const authorized = { authorize: hook, challenge: line }

const sharedSchema = z.strictObject({
  limit: z.optional(
    z.union(
      [hook, z.literal(false), budgetsSchema],
      'expected a function, false, or { client, token, node } with { burst, every } or false each',
    ),
  ),
  binding: z.optional(hook),
  context: z.optional(hook),
  onError: z.optional(hook),
  timeout: z.optional(
    z.custom<Duration>(isTimeout, "expected a duration such as '10s', from 10 ms to 10 minutes"),
  ),
})
const SCHEMAS = {
  revocation: z.strictObject(authorized),
  introspection: z.strictObject({ ...authorized, issuer: text(1024), claims: z.optional(hook) }),
  rotation: z.strictObject({ allowHttp: flag, realm: line, reasons: flag }),
  leak: z.strictObject({ reason: text(1024) }),
} as const

/** Validates the shared options and applies the defaults. Throws `ERR_INVALID_OPTION`. */
export function resolveEndpointsOptions<Request>(
  options: EndpointsOptions<Request>,
): ResolvedEndpointsOptions<Request> {
  const own = check<EndpointsOptions<Request>>(sharedSchema, optionFields(options))
  const { limit, binding, context, onError, timeout } = own
  const timeoutMs = timeout === undefined ? DEFAULT_TIMEOUT_MS : (parseDuration(timeout) as number)
  if (typeof limit === 'object') refuseUndefined({ ...limit })
  const hooked = typeof limit === 'function'
  return {
    limit: hooked ? limit : undefined,
    budgets: hooked || limit === false ? NO_BUDGETS : budgetsOf(limit),
    binding,
    context,
    onError,
    timeoutMs,
  }
}

const AUTHORIZE =
  'authorize, a function that returns { actor } for a caller who may use the endpoint, and undefined for any other (401)'

/** Validates the options of one endpoint and returns a copy of its own fields. Throws `ERR_INVALID_OPTION`. */
export function checkOptions<T extends object>(endpoint: EndpointName, options: T): T {
  const isAuthorized = endpoint === 'revocation' || endpoint === 'introspection'
  if (isAuthorized && options === undefined) {
    throw invalidOption('options', `${endpoint}() requires the option ${AUTHORIZE}; got no options`)
  }
  const fields = optionFields(options)
  if (isAuthorized && !Object.hasOwn(fields, 'authorize')) {
    throw invalidOption('authorize', `${endpoint}() requires ${AUTHORIZE}`)
  }
  return check<T>(SCHEMAS[endpoint], fields)
}

/** The challenge of a protected endpoint. */
export function challengeOf({ challenge }: { readonly challenge?: string }): string {
  return challenge ?? DEFAULT_CHALLENGE
}

/** The recorded reason for a reported token. */
export function reasonOf({ reason }: LeakOptions): string {
  return reason ?? DEFAULT_REASON
}

function check<T extends object>(schema: z.ZodMiniType, fields: Record<string, unknown>): T {
  refuseUndefined(fields)
  const parsed = schema.safeParse(fields)
  if (parsed.success) return fields as T
  const checked = { schema, input: fields, root: 'options', noun: 'option' }
  throw new WatchwordError('ERR_INVALID_OPTION', issueText(parsed.error.issues, checked))
}

function isTimeout(value: unknown): boolean {
  const ms = parseDuration(value)
  return ms !== undefined && ms >= 10 && ms <= MAX_TIMEOUT_MS
}
