/**
 * Responses of guards and endpoints, and the problem details (RFC 9457) of those that reject a request.
 *
 * @module
 */
import { bare } from '../lib/fields.js'

/** A complete response. */
export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

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

/** The fields of a problem. */
export interface Problem<Status extends keyof typeof TITLES = keyof typeof TITLES> {
  readonly status: Status
  readonly code?: string
  readonly detail?: string
  /** Why a token is rejected, if the client may know. */
  readonly reason?: string
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
}

/** No cache may store a response of this library. */
export const NO_STORE: Readonly<Record<string, string>> = Object.freeze(
  bare({ 'cache-control': 'no-store' }),
)

/** The response that reports a problem. */
export function problem<Status extends keyof typeof TITLES>(
  given: Problem<Status>,
): Answer & { readonly status: Status } {
  const { status, code, detail, reason, headers = {} } = bare(given)
  const all = { ...NO_STORE, 'content-type': 'application/problem+json', ...headers }
  return Object.freeze(
    bare({
      status,
      headers: Object.freeze(bare(all)),
      body: JSON.stringify(
        bare({ type: 'about:blank', title: TITLES[status], status, code, detail, reason }),
      ),
    }),
  )
}
