/**
 * The refusals as HTTP answers: status, headers and body, made once and sent many times.
 *
 * @module
 */
import { WatchwordError, type WatchwordErrorCode } from '../errors.js'
import type { RejectionCode } from '../types.js'
import { formatChallenge } from './challenge.js'
import { bare } from './own.js'

/** An answer that is complete: what it says is all there is to send. */
export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Why a request may not pass, and what to answer it. */
export interface Refusal extends Answer {
  readonly ok: false
  readonly status: 400 | 401 | 403 | 503
  /** The code of the OAuth error; absent when no credentials were sent. */
  readonly error?: RefusalCode
  /** Why the token is refused, where the options let it be told. */
  readonly reason?: RejectionCode
  /** With 503: what went wrong. For the service's own eyes. */
  readonly cause?: unknown
}

/** RFC 6750, section 3.1, and for an outage RFC 6749, section 4.1.2.1. */
export type RefusalCode =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'temporarily_unavailable'

/** What the refusals of one guard depend on. */
export interface RefusalOptions {
  readonly realm: string
  readonly resourceMetadata: string | undefined
  /** The scopes that would do, separated by spaces. */
  readonly scope: string
  /** Whether a refusal says why. */
  readonly reasons: boolean
}

/** The refusals of one guard. */
export interface Refusals {
  /** No credentials, or none of a kind that is taken here. */
  readonly missing: Refusal
  /** More than one credential, or one that is not written as RFC 6750 has it. */
  readonly malformed: Refusal
  /** The refusal for a rejection by `authenticate`; any other code is refused as an invalid token. */
  of(code: unknown): Refusal
  /** The check could not be made. */
  unavailable(cause: unknown): Refusal
}

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  503: 'Service Unavailable',
} as const

const DETAILS: Readonly<Record<RefusalCode, string>> = {
  invalid_request: 'Send one token, in one header: Authorization: Bearer <token>.',
  invalid_token: 'The token was not accepted.',
  insufficient_scope: 'The token does not cover this request.',
  temporarily_unavailable: 'The token cannot be checked right now. Try again.',
}

// A stale node is fresh again within milliseconds of reaching its feed; a second keeps clients from hammering it.
const RETRY_AFTER_SECONDS = '1'

/** Makes the refusals of one guard. */
export function makeRefusals(options: RefusalOptions): Refusals {
  const { reasons, scope } = options
  const unavailable = refusal(options, 503, { error: 'temporarily_unavailable' })
  const invalidToken = refusal(options, 401, { error: 'invalid_token' })
  const stale = reasons ? refusal(options, 503, { ...unavailable, reason: 'stale' }) : unavailable
  const known = new Map<unknown, Refusal>([
    ['stale', stale],
    // To a client the two are one: this node cannot check the token.
    ['closed', stale],
    ['insufficient_scope', refusal(options, 403, { error: 'insufficient_scope', scope })],
  ])
  return {
    missing: refusal(options, 401, {}),
    malformed: refusal(options, 400, { error: 'invalid_request' }),
    of(code) {
      const made = known.get(code)
      if (made !== undefined) return made
      if (!reasons || typeof code !== 'string') return invalidToken
      const explained = refusal(options, 401, {
        error: 'invalid_token',
        reason: code as RejectionCode,
      })
      known.set(code, explained)
      return explained
    },
    unavailable: (cause) => bare({ ...unavailable, cause }),
  }
}

interface Said {
  readonly error?: RefusalCode
  readonly reason?: RejectionCode
  readonly scope?: string
}

function refusal(options: RefusalOptions, status: Refusal['status'], said: Said): Refusal {
  const { error, reason, scope } = bare(said)
  const code = error === undefined ? {} : { code: error, detail: DETAILS[error] }
  const why = reason === undefined ? {} : { reason }
  const headers = bare<Record<string, string>>({
    'cache-control': 'no-store',
    'content-type': 'application/problem+json',
    ...(status === 503
      ? { 'retry-after': RETRY_AFTER_SECONDS }
      : { 'www-authenticate': challenge(options, { error, reason, scope }) }),
  })
  const made: Refusal = bare({
    ok: false,
    status,
    headers: Object.freeze(headers),
    body: JSON.stringify(
      bare({ type: 'about:blank', title: TITLES[status], status, ...code, ...why }),
    ),
    ...(error === undefined ? {} : { error }),
    ...why,
  })
  return Object.freeze(made)
}

function challenge(
  { realm, resourceMetadata }: RefusalOptions,
  { error, reason, scope }: { [Field in keyof Said]: Said[Field] | undefined },
): string {
  return formatChallenge({
    realm,
    ...(error === undefined ? {} : { error }),
    ...(reason === undefined ? {} : { error_description: reason }),
    ...(scope === undefined || scope === '' ? {} : { scope }),
    ...(resourceMetadata === undefined ? {} : { resource_metadata: resourceMetadata }),
  })
}

/** A refusal as an error, with what the error handlers of the frameworks read. */
export interface RefusalError extends WatchwordError {
  readonly status: Refusal['status']
  readonly statusCode: Refusal['status']
  /** The headers of the answer but for its content type, which belongs to the body. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether the message may be shown to the client. It always may. */
  readonly expose: true
  /** What the answer would have been. */
  readonly answer: Answer
}

/** Makes the error of a refusal, for applications that answer errors in a way of their own. */
export function refusalError(refused: Refusal): RefusalError {
  const { status, body, reason, cause } = refused
  const { 'content-type': _, ...rest } = refused.headers
  const headers = bare(rest)
  const error = new WatchwordError(
    errorCode(refused),
    refused.error === undefined ? 'A token is required.' : DETAILS[refused.error],
    { ...(reason === undefined ? {} : { reason }), ...(cause === undefined ? {} : { cause }) },
  )
  const answer: Answer = bare({ status, headers: refused.headers, body })
  const extra = { status, statusCode: status, headers, expose: true, answer } as const
  return Object.assign(error, extra)
}

// An outage is never a rejection, also by its code.
function errorCode({ status, cause }: Refusal): WatchwordErrorCode {
  if (status !== 503) return 'ERR_TOKEN_REJECTED'
  if (cause === undefined) return 'ERR_FEED_UNAVAILABLE'
  return cause instanceof WatchwordError ? cause.code : 'ERR_STORE_UNAVAILABLE'
}
