/**
 * The responses of the token endpoints: status, headers and body. Constant ones are created once.
 *
 * @module
 */
import { bare } from '../../lib/fields.js'
import { type Answer, NO_STORE, problem } from '../problem.js'

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

/** The value that the token is said to be bound to is not one. */
export const BAD_BINDING: Answer = invalidRequest(
  'The value that the token is bound to must be well-formed text without control characters, and not too long.',
)

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
  const detail = 'The caller is not authenticated.'
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
  detail: 'The request cannot be processed right now. Try again.',
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
