/**
 * Web requests and responses, and the underlying Node request if the adapter provides it.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { bare } from '../lib/fields.js'
import { isEncrypted } from './incoming.js'
import { own } from './own.js'
import type { Answer } from './problem.js'

/** The Node request from the environment of an adapter such as @hono/node-server. It has each header and the socket. */
export function nodeRequestOf(env: unknown): IncomingMessage | undefined {
  const incoming = own(env, 'incoming') as Partial<IncomingMessage> | undefined
  return Array.isArray(incoming?.rawHeaders) && incoming.headers !== undefined
    ? (incoming as IncomingMessage)
    : undefined
}

/** The Node response in that environment. */
export function nodeResponseOf(env: unknown): ServerResponse | undefined {
  return own(env, 'outgoing') as ServerResponse | undefined
}

/** The `Authorization` headers of a Web request, joined into one; the decision rejects a list. */
export function joinedAuthorization(value: string | null | undefined): readonly string[] {
  return value === null || value === undefined ? [] : [value]
}

/**
 * Whether the connection is TLS, as far as its socket is known. The scheme of the URL proves nothing: it comes from the
 * request target, which a client may send in absolute form.
 */
export function isEncryptedIn(env: unknown): boolean {
  const node = nodeRequestOf(env)
  return node !== undefined && isEncrypted(node)
}

/** Creates the response. */
export function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body === '' ? null : body, bare({ status, headers }))
}

/** Adds headers to a response. */
export function withHeaders(
  response: Response,
  headers: Readonly<Record<string, string>>,
): Response {
  const entries = Object.entries(headers)
  if (entries.length === 0) return response
  // A copy, because the headers of a fetched or redirected response are immutable.
  const { status, statusText } = response
  const copy = new Response(response.body, bare({ status, statusText, headers: response.headers }))
  for (const [name, value] of entries) copy.headers.set(name, value)
  return copy
}
