/**
 * The fields of a guard's result for an access log.
 *
 * @module
 */
import type { RejectionCode } from '../types.js'
import { keptOn } from './auth.js'

/** The result of a guard, as flat fields without a token, a key or a custom claim. */
export interface LogFields {
  /**
   * `ok`; `anonymous` for a request without credentials that `optional` let pass; otherwise why the request was
   * rejected: a rejection code, `missing` without credentials, or `unavailable` if the token could not be checked.
   */
  readonly outcome: 'ok' | 'anonymous' | 'missing' | 'unavailable' | RejectionCode
  /** The id of the token. This field and the next five are present only for an accepted token. */
  readonly token_id?: string
  /** The subject of the token. */
  readonly subject?: string
  /** The policy of the token. */
  readonly policy?: string
  /** The audience of the token. */
  readonly audience?: string
  /** The id of the first token of its family. */
  readonly family?: string
  /** 0 for the first token of its family, incremented by each rotation. */
  readonly generation?: number
}

/**
 * Returns the result of the guard for an access log, or `undefined` if no guard ran for this request. Unlike `authOf`, it
 * also works for a rejected request, after the response.
 *
 * @param request - The first argument of a handler: the request; in Koa and Hono the context.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { logFields, requireToken } from 'watchword/node'
 *
 * const guard = requireToken(watchword)
 * createServer((request, response) => {
 *   response.on('finish', () => console.log({ status: response.statusCode, ...logFields(request) }))
 *   guard(request, response, () => response.end())
 * }).close()
 * ```
 */
export function logFields(request: object): LogFields | undefined {
  const { passed, refused } = keptOn(request)
  if (refused !== undefined) return { outcome: refused }
  if (passed === undefined) return undefined
  if (passed.auth === undefined) return { outcome: 'anonymous' }
  const { id, subject, policy, audience, family, generation } = passed.auth
  return { outcome: 'ok', token_id: id, subject, policy, audience, family, generation }
}
