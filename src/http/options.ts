/**
 * The options that the guards of all frameworks share, and the methods they need of an authority.
 *
 * @module
 */
import * as z from 'zod/mini'
import type { WatchwordError } from '../errors.js'
import { type Duration, MINUTE, parseDuration, SECOND } from '../lib/duration.js'
import { bare, fieldsOf } from '../lib/fields.js'
import { invalidOption } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'
import type { RequestContext } from '../observe/channels.js'
import type { AnyClaims, Requirement, Verified, VerifyResult, WatchSignal } from '../types.js'
import type { TokenInfo } from '../verbs/inputs.js'
import type { CompiledRequirement } from '../verbs/requirement.js'
import { isPlain } from './own.js'

/** The methods of an authority that a guard calls. The result of `createWatchword` has them. */
export interface TokenAuthority<Claims = AnyClaims> {
  authenticate(
    token: unknown,
    requirement?: Requirement | CompiledRequirement,
    context?: RequestContext,
  ): Promise<VerifyResult<Claims>>
  require(requirement: Requirement): CompiledRequirement
  /** Called only with `cut`. */
  watch?(
    result: Verified<unknown>,
    options: { readonly requirement: CompiledRequirement },
  ): WatchSignal
  /** Called only with `rotateDue`. */
  rotate?(
    token: string,
    options: { readonly actor: string; readonly binding?: string },
  ): Promise<{ readonly token: string }>
  /** Called only with `rotateDue`. */
  readonly tokens?: { get(id: string): Promise<TokenInfo | undefined> }
}

/**
 * The options of a guard, the same for every framework. The fields of a requirement define what the token must meet;
 * they are compiled once, when the guard is created. A field that is present must have a value: `undefined` throws.
 */
export interface TokenOptions<Request> extends Requirement {
  /**
   * Passes requests without credentials as anonymous. Invalid credentials are still rejected. Default: `false`.
   */
  readonly optional?: boolean
  /** The realm of the challenge. Default: `'api'`. */
  readonly realm?: string
  /** The URL of the resource's metadata, for the challenge (RFC 9728), which MCP requires. Default: none. */
  readonly resourceMetadata?: string
  /**
   * Whether a rejection states its reason, such as `expired` or `revoked`. Default: `false`, because a thief would
   * learn it too.
   */
  readonly reasons?: boolean
  /** A property of the request (Koa: of `ctx.state`) that also holds the result, read-only. Default: none. */
  readonly property?: string
  /** Passes a rejection to the framework's error handler instead of sending it. Default: `false`. */
  readonly throwErrors?: boolean
  /**
   * Reads the token from a source other than the `Authorization` header. Returns its text, nothing if there is none, or
   * a promise of either, which must settle within the authority's `timeout`; other thenables are rejected. Default:
   * only the header. A token in a query string or a form is rejected.
   */
  readonly getToken?: (
    request: Request,
  ) => string | null | undefined | Promise<string | null | undefined>
  /** Adds to the context that is published with the decision. Default: what the framework knows about the request. */
  readonly context?: (request: Request) => RequestContext
  /** Called with each error that prevented a check; the client receives 503. Default: none. */
  readonly onError?: (error: unknown, request: Request) => void
  /** The maximum time for all I/O of one request, after which the response is 503. Default: `'10s'`. */
  readonly timeout?: Duration
  /** Adds headers with the token's expiry and the time from which it should be rotated. Default: `false`. */
  readonly expiryHeaders?: boolean
  /**
   * Rotates a token that is due and returns its successor in a header, over TLS only. For clients that read that
   * header: the old token ends after its policy's grace. Default: `false`.
   */
  readonly rotateDue?: boolean
  /**
   * Ends the response when the token ends: an open response, such as a stream of events or a long poll, is destroyed once
   * the token is revoked or has expired, or no longer meets the requirement. A rotation does not end it. Handlers find
   * the signal in `authOf(request).signal`. Default: `false`.
   */
  readonly cut?: boolean
  /**
   * Whether the request came over TLS, for `rotateDue`. Set it if the framework cannot know, such as behind a proxy
   * that terminates TLS, or for Web requests outside Node. Default: what the framework knows from the connection; never
   * the scheme of the URL, which the client controls.
   */
  readonly isSecure?: (request: Request) => boolean
}

/** The options with every default filled in. */
export interface ResolvedTokenOptions<Request> {
  readonly requirement: Requirement
  readonly optional: boolean
  readonly realm: string
  readonly resourceMetadata: string | undefined
  readonly reasons: boolean
  readonly property: string | undefined
  readonly throwErrors: boolean
  readonly getToken: TokenOptions<Request>['getToken']
  readonly context: TokenOptions<Request>['context']
  readonly onError: TokenOptions<Request>['onError']
  readonly timeoutMs: number
  readonly expiryHeaders: boolean
  readonly rotateDue: boolean
  readonly cut: boolean
  readonly isSecure: TokenOptions<Request>['isSecure']
}

const DEFAULTS = { realm: 'api', timeoutMs: 10 * SECOND } as const
const MAX_TIMEOUT_MS = 10 * MINUTE

const flag = z.optional(z.boolean('expected true or false'))
const method = z.optional(
  z.custom<(...args: never[]) => unknown>(
    (value) => typeof value === 'function',
    'expected a function',
  ),
)
const ascii = (what: string) =>
  z.optional(z.string(`expected ${what}`).check(z.regex(/^[ -~]{1,512}$/, `expected ${what}`)))

const FIELDS = {
  optional: flag,
  realm: ascii('1 to 512 printable ASCII characters'),
  resourceMetadata: z.optional(
    z.custom<string>(isWebUrl, 'expected a URL that begins with https: or http:'),
  ),
  reasons: flag,
  property: z.optional(z.custom<string>(isProperty, "expected a property's name such as 'auth'")),
  throwErrors: flag,
  getToken: method,
  context: method,
  onError: method,
  timeout: z.optional(
    z.custom<Duration>(isTimeout, "expected a duration such as '10s', from 10 ms to 10 minutes"),
  ),
  expiryHeaders: flag,
  rotateDue: flag,
  cut: flag,
  isSecure: method,
} as const
const schema = z.looseObject(FIELDS)

type OwnOptions<Request> = Omit<TokenOptions<Request>, keyof Requirement>

/**
 * Validates the options and applies the defaults. Throws `ERR_INVALID_OPTION`. The authority's `require` validates the
 * fields of the requirement, and rejects unknown fields.
 */
export function resolveTokenOptions<Request>(
  options: TokenOptions<Request>,
): ResolvedTokenOptions<Request> {
  const fields = optionFields(options)
  const requirement = bare<Record<string, unknown>>({})
  const given = bare<Record<string, unknown>>({})
  for (const [name, value] of Object.entries(fields)) {
    const kept = Object.hasOwn(FIELDS, name) ? given : requirement
    kept[name] = value
  }
  refuseUndefined(given)
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw invalidField(given, parsed.error.issues[0])
  const { timeout, ...own } = given as OwnOptions<Request>
  return {
    requirement,
    optional: own.optional ?? false,
    realm: own.realm ?? DEFAULTS.realm,
    resourceMetadata: own.resourceMetadata,
    reasons: own.reasons ?? false,
    property: own.property,
    throwErrors: own.throwErrors ?? false,
    getToken: own.getToken,
    context: own.context,
    onError: own.onError,
    timeoutMs: timeout === undefined ? DEFAULTS.timeoutMs : (parseDuration(timeout) as number),
    expiryHeaders: own.expiryHeaders ?? false,
    rotateDue: own.rotateDue ?? false,
    cut: own.cut ?? false,
    isSecure: own.isSecure,
  }
}

/** The own fields of an options object. Throws `ERR_INVALID_OPTION` for any other value. */
export function optionFields(options: unknown): Readonly<Record<string, unknown>> {
  if (isPlain(options)) return fieldsOf(options, [])
  throw invalidOption(
    'options',
    `expected an object such as { scopes: ['orders:read'] }, got ${describe(options)}`,
  )
}

/** Throws `ERR_INVALID_OPTION` for a field that is present without a value. */
export function refuseUndefined(fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined)
      throw invalidOption(name, 'expected a value, got undefined; remove the field')
  }
}

/** The error for the first field that a schema rejected. */
function invalidField(
  fields: Readonly<Record<string, unknown>>,
  issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined,
): WatchwordError<'ERR_INVALID_OPTION'> {
  const name = String(issue?.path[0] ?? 'options')
  return invalidOption(
    name,
    `${issue?.message ?? 'expected another value'}, got ${describe(fields[name])}`,
  )
}

function isTimeout(value: unknown): boolean {
  const ms = parseDuration(value)
  return ms !== undefined && ms >= 10 && ms <= MAX_TIMEOUT_MS
}

function isWebUrl(value: unknown): boolean {
  return typeof value === 'string' && /^https?:\/\/[!-~]+$/.test(value) && URL.canParse(value)
}

function isProperty(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z$][\w$]*$/.test(value) && value !== 'constructor'
}
