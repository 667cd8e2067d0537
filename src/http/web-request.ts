/**
 * Web requests and responses, and the Node request underneath where an adapter passes it on.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isEncrypted } from './incoming.js'
import { bare, own } from './own.js'
import type { Answer } from './refusal.js'

/** The Node request in the environment of an adapter such as @hono/node-server: it has each header, and the socket. */
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

/** The `Authorization` headers of a Web request, which has joined them into one; the decision tells a list from a token. */
export function joinedAuthorization(value: string | null | undefined): readonly string[] {
  return value === null || value === undefined ? [] : [value]
}

/**
 * Whether the connection is TLS, as far as its socket is known. The scheme of a request's URL proves nothing: it comes
 * from the request target, which a client may send in absolute form.
 */
export function isEncryptedIn(env: unknown): boolean {
  const node = nodeRequestOf(env)
  return node !== undefined && isEncrypted(node)
}

/** Makes the response. */
export function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body === '' ? null : body, bare({ status, headers }))
}

/** A response with these headers as well. */
export function withHeaders(
  response: Response,
  headers: Readonly<Record<string, string>>,
): Response {
  const entries = Object.entries(headers)
  if (entries.length === 0) return response
  // A copy, since the headers of a response that was fetched or redirected cannot be changed.
  const { status, statusText } = response
  const copy = new Response(response.body, bare({ status, statusText, headers: response.headers }))
  for (const [name, value] of entries) copy.headers.set(name, value)
  return copy
}
