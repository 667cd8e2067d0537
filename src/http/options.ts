/**
 * What a guard is made from: the options that all frameworks share, and what it asks of an authority.
 *
 * @module
 */
import * as z from 'zod/mini'
import { type Duration, MINUTE, parseDuration, SECOND } from '../duration.js'
import { WatchwordError } from '../errors.js'
import type { RequestContext } from '../observe/channels.js'
import type { CompiledRequirement } from '../requirement.js'
import type { TokenRecord } from '../store/store.js'
import type { AnyClaims, Requirement, VerifyResult } from '../types.js'

/** What a guard asks of an authority. What `createWatchword` answers is one. */
export interface TokenAuthority<Claims = AnyClaims> {
  authenticate(
    token: unknown,
    requirement?: Requirement | CompiledRequirement,
    context?: RequestContext,
  ): Promise<VerifyResult<Claims>>
  require(requirement: Requirement): CompiledRequirement
  /** Asked only with `rotateDue`. */
  rotate?(
    token: string,
    options: { readonly actor: string; readonly binding?: string },
  ): Promise<{ readonly token: string }>
  /** Asked only with `rotateDue`. */
  readonly tokens?: { get(id: string): Promise<TokenRecord | undefined> }
}

/**
 * The options of a guard, the same for every framework. The fields of a requirement say what the token must meet; they
 * are compiled once, when the guard is made.
 */
export interface TokenOptions<Request> extends Requirement {
  /**
   * Lets a request without credentials pass as anonymous. Credentials that are there and are no good are refused all
   * the same. Default: `false`.
   */
  readonly optional?: boolean
  /** The realm of the challenge. Default: `'api'`. */
  readonly realm?: string
  /** The URL of the resource's metadata, for the challenge (RFC 9728), as MCP demands it. Default: none. */
  readonly resourceMetadata?: string
  /** Whether a refusal says why, such as `expired` or `revoked`. Default: `false`, since a thief would learn it too. */
  readonly reasons?: boolean
  /** A property of the request (Koa: of `ctx.state`) that holds the result as well, read-only. Default: none. */
  readonly property?: string
  /** Hands a refusal to the framework's error handler instead of answering it. Default: `false`. */
  readonly throwErrors?: boolean
  /**
   * Where the token is found, if not in the `Authorization` header; nothing when there is none. Default: the header, and
   * only there: a token in a query string or in a form is refused.
   */
  readonly getToken?: (request: Request) => TokenSource | Promise<TokenSource>
  /** What to tell of the request with the decision, on top of what the framework knows. Default: nothing more. */
  readonly context?: (request: Request) => RequestContext
  /** Told of each error that kept a token from being checked; the client sees 503. Default: nobody is. */
  readonly onError?: (error: unknown, request: Request) => void
  /** How long all I/O for one request may take before the answer is 503. Default: `'10s'`. */
  readonly timeout?: Duration
  /** Tells the client in headers when its token expires and from when it should be rotated. Default: `false`. */
  readonly expiryHeaders?: boolean
  /**
   * Rotates a token that is due and hands its successor over in a header, to requests over TLS only. For clients that
   * look for that header: the old token ends after its policy's grace. Default: `false`.
   */
  readonly rotateDue?: boolean
}

/** What a place in a request holds: the text of a token, or nothing. */
export type TokenSource = string | null | undefined

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

const schema = z.looseObject(
  {
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
  },
  'expected an object of options',
)

/**
 * Checks the options and fills in the defaults. Throws `ERR_INVALID_OPTION`; the fields of the requirement are left to
 * the authority's `require`, which also refuses fields that are unknown to both.
 */
export function resolveTokenOptions<Request>(
  options: TokenOptions<Request>,
): ResolvedTokenOptions<Request> {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const path = (issue?.path ?? []).map(String).join('.')
    throw invalid(path === '' ? 'options' : path, issue?.message ?? 'expected an object of options')
  }
  const { optional, realm, resourceMetadata, reasons, property, throwErrors, ...others } = options
  const { getToken, context, onError, timeout, expiryHeaders, rotateDue, ...requirement } = others
  return {
    requirement,
    optional: optional ?? false,
    realm: realm ?? DEFAULTS.realm,
    resourceMetadata,
    reasons: reasons ?? false,
    property,
    throwErrors: throwErrors ?? false,
    getToken,
    context,
    onError,
    timeoutMs: timeout === undefined ? DEFAULTS.timeoutMs : (parseDuration(timeout) as number),
    expiryHeaders: expiryHeaders ?? false,
    rotateDue: rotateDue ?? false,
  }
}

/** The error for a field that is wrong. */
export function invalid(field: string, fix: string): WatchwordError<'ERR_INVALID_OPTION'> {
  return new WatchwordError('ERR_INVALID_OPTION', `${field}: ${fix}`)
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
