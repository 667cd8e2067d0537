/**
 * The responses of the token endpoints: status, headers and body. Constant ones are created once.
 *
 * @module
 */
import { bare } from '../own.js'
import type { Answer } from '../refusal.js'

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
} as const

/** The fields of a problem response. */
export interface Problem {
  readonly status: keyof typeof TITLES
  readonly code: string
  readonly detail: string
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

const NO_STORE = Object.freeze(bare({ 'cache-control': 'no-store' }))

/** A problem (RFC 9457), in the format of the guards' rejections. */
export function problem({ status, code, detail, headers = {} }: Problem): Answer {
  const all = { ...NO_STORE, 'content-type': 'application/problem+json', ...headers }
  return Object.freeze(
    bare({
      status,
      headers: Object.freeze(bare(all)),
      body: JSON.stringify(
        bare({ type: 'about:blank', title: TITLES[status], status, code, detail }),
      ),
    }),
  )
}

/** A response that no cache may store. */
export function json(value: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return bare({
    status: 200,
    headers: bare({ ...NO_STORE, 'content-type': 'application/json', ...headers }),
    body: JSON.stringify(bare(value)),
  })
}

/** Success, or nothing to do; the response does not reveal which. */
export const DONE: Answer = Object.freeze(bare({ status: 200, headers: NO_STORE, body: '' }))

/** The request is invalid for this endpoint. */
export const invalidRequest = (detail: string): Answer =>
  problem({ status: 400, code: 'invalid_request', detail })

/** The body has an unsupported content type. */
export const unsupportedType = (types: string): Answer =>
  problem({ status: 415, code: 'invalid_request', detail: `Send a body of type ${types}.` })

/** Only `POST` keeps a token out of the logs of intermediaries. */
export const NOT_POST: Answer = problem({
  status: 405,
  code: 'invalid_request',
  detail: 'Use POST.',
  headers: { allow: 'POST' },
})

/** The caller is not authenticated. */
export function unknownCaller(challenge: string): Answer {
  const headers = { 'www-authenticate': challenge }
  const detail = 'The caller is not known here.'
  return problem({ status: 401, code: 'invalid_client', detail, headers })
}

/** The body did not arrive. */
export const NO_BODY: Answer = problem({
  status: 408,
  code: 'invalid_request',
  detail: 'The body of the request did not arrive in time.',
})

/** The body is longer than the endpoint accepts. */
export const TOO_LONG: Answer = problem({
  status: 413,
  code: 'invalid_request',
  detail: 'The body of the request is too long.',
})

/** The work failed, or its result is not certain; retrying is safe. */
export const UNAVAILABLE: Answer = problem({
  status: 503,
  code: 'temporarily_unavailable',
  detail: 'This cannot be done right now. Try again.',
  headers: { 'retry-after': '1' },
})

/** The client exceeded its rate limit. */
export function tooMany(retryAfterMs: number): Answer {
  return problem({
    status: 429,
    code: 'too_many_requests',
    detail: 'Too many requests. Try again later.',
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) },
  })
}
