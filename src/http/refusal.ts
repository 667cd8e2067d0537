/**
 * Rejections as HTTP responses: status, headers and body, created once and sent many times.
 *
 * @module
 */

import { WatchwordError, type WatchwordErrorCode } from '../errors.js'
import { bare } from '../lib/fields.js'
import type { RejectionCode } from '../types.js'
import { REJECTED } from '../verbs/rejections.js'
import { formatChallenge } from './challenge.js'
import { type Answer, problem } from './problem.js'

/** Why a request is rejected, and the response to it. */
export interface Refusal extends Answer {
  readonly ok: false
  readonly status: 400 | 401 | 403 | 503
  /** The code of the OAuth error; absent when no credentials were sent. */
  readonly error?: RefusalCode
  /** Why the token is rejected, if the options allow stating it. */
  readonly reason?: RejectionCode
  /** Why the request is rejected, for internal use only. */
  readonly outcome: RefusalOutcome
  /** With 503: the error, for internal use only. */
  readonly cause?: unknown
}

/** Why a request is rejected: the token's rejection, no credentials, or an outage. */
export type RefusalOutcome = RejectionCode | 'missing' | 'unavailable'

/** RFC 6750, section 3.1, and for an outage RFC 6749, section 4.1.2.1. */
export type RefusalCode =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'temporarily_unavailable'

/** Options of one guard's rejections. */
export interface RefusalOptions {
  readonly realm: string
  readonly resourceMetadata: string | undefined
  /** The required scopes, separated by spaces. */
  readonly scope: string
  /** Whether a rejection states its reason. */
  readonly reasons: boolean
}

/** The rejections of one guard. */
export interface Refusals {
  /** No credentials, or none of a supported scheme. */
  readonly missing: Refusal
  /** More than one credential, or a malformed one (RFC 6750). */
  readonly malformed: Refusal
  /** The response to a rejection by `authenticate`; any other code is treated as an invalid token. */
  of(code: unknown): Refusal
  /** The check failed. */
  unavailable(cause: unknown): Refusal
}

const DETAILS: Readonly<Record<RefusalCode, string>> = {
  invalid_request: 'Send one token, in one header: Authorization: Bearer <token>.',
  invalid_token: 'The token was not accepted.',
  insufficient_scope: 'The token does not cover this request.',
  temporarily_unavailable: 'The token cannot be checked right now. Try again.',
}

// A stale node is fresh again within milliseconds of reaching its feed; one second limits client retries.
const RETRY_AFTER_SECONDS = '1'

/** Creates the rejections of one guard. */
export function makeRefusals(options: RefusalOptions): Refusals {
  const { reasons, scope } = options
  const unavailable = refusal(options, 503, {
    error: 'temporarily_unavailable',
    outcome: 'unavailable',
  })
  const invalidToken = (outcome: RejectionCode, reason?: RejectionCode) =>
    refusal(options, 401, { error: 'invalid_token', outcome, ...(reason ? { reason } : {}) })
  const stale = (outcome: RejectionCode) =>
    refusal(options, 503, {
      error: 'temporarily_unavailable',
      outcome,
      ...(reasons ? { reason: 'stale' } : {}),
    })
  const known = new Map<unknown, Refusal>(
    REJECTION_CODES.map((code) => [code, invalidToken(code, reasons ? code : undefined)]),
  )
  known.set('stale', stale('stale'))
  // Also means that this node cannot check the token.
  known.set('closed', stale('closed'))
  known.set(
    'insufficient_scope',
    refusal(options, 403, { error: 'insufficient_scope', outcome: 'insufficient_scope', scope }),
  )
  const unknown = invalidToken('invalid')
  return {
    missing: refusal(options, 401, { outcome: 'missing' }),
    malformed: refusal(options, 400, { error: 'invalid_request', outcome: 'malformed' }),
    of(code) {
      const made = known.get(code)
      if (made !== undefined) return made
      // A wrapper of `authenticate` may have codes of its own.
      if (!reasons || typeof code !== 'string') return unknown
      const explained = invalidToken('invalid', code as RejectionCode)
      known.set(code, explained)
      return explained
    },
    unavailable: (cause) => bare({ ...unavailable, cause }),
  }
}

const REJECTION_CODES = Object.values(REJECTED).map(({ code }) => code)

interface Said {
  readonly error?: RefusalCode
  readonly reason?: RejectionCode
  readonly scope?: string
  readonly outcome: RefusalOutcome
}

function refusal(options: RefusalOptions, status: Refusal['status'], said: Said): Refusal {
  const { error, reason, scope, outcome } = bare(said)
  const why = reason === undefined ? {} : { reason }
  const made: Refusal = bare({
    ok: false,
    ...problem({
      status,
      ...(error === undefined ? {} : { code: error, detail: DETAILS[error] }),
      ...why,
      headers:
        status === 503
          ? { 'retry-after': RETRY_AFTER_SECONDS }
          : { 'www-authenticate': challenge(options, { error, reason, scope }) },
    }),
    ...(error === undefined ? {} : { error }),
    ...why,
    outcome,
  })
  return Object.freeze(made)
}

function challenge(
  { realm, resourceMetadata }: RefusalOptions,
  { error, reason, scope }: { [Field in 'error' | 'reason' | 'scope']: Said[Field] | undefined },
): string {
  return formatChallenge({
    realm,
    ...(error === undefined ? {} : { error }),
    ...(reason === undefined ? {} : { error_description: reason }),
    ...(scope === undefined || scope === '' ? {} : { scope }),
    ...(resourceMetadata === undefined ? {} : { resource_metadata: resourceMetadata }),
  })
}

/** A rejection as an error, with the fields that the frameworks' error handlers read. */
export interface RefusalError extends WatchwordError {
  readonly status: Refusal['status']
  readonly statusCode: Refusal['status']
  /** The response headers without the content type, which belongs to the body. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether the message may be shown to the client: always `true`. */
  readonly expose: true
  /** The response that would have been sent. */
  readonly answer: Answer
}

/** Creates the error of a rejection, for applications that respond to errors themselves. */
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

// An outage has an error code of its own, not that of a rejected token.
function errorCode({ status, cause }: Refusal): WatchwordErrorCode {
  if (status !== 503) return 'ERR_TOKEN_REJECTED'
  if (cause === undefined) return 'ERR_FEED_UNAVAILABLE'
  return cause instanceof WatchwordError ? cause.code : 'ERR_STORE_UNAVAILABLE'
}
