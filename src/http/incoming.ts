/**
 * Node's requests and responses, which Express, Koa, Fastify and, on a Node server, Hono are built on.
 *
 * @module
 */
import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { own } from './own.js'
import type { Answer } from './problem.js'

/** The used part of a request, for HTTP/1 and HTTP/2. */
export interface Incoming {
  readonly headers: { readonly authorization?: string | undefined }
  readonly rawHeaders?: readonly string[]
}

const NAME = 'authorization'

/**
 * Every `Authorization` header as received, because Node keeps the first and silently drops the others. If earlier
 * middleware replaced the header, its current value counts.
 */
export function authorizationOf({ headers, rawHeaders }: Incoming): readonly string[] {
  if (rawHeaders !== undefined && isRepeated(rawHeaders)) return rawValues(rawHeaders)
  const authorization = headerOf(headers, NAME)
  return authorization === undefined ? [] : [authorization]
}

/** One header of a request, or `undefined`. */
export function headerOf(headers: object, name: string): string | undefined {
  const value = own(headers, name)
  return typeof value === 'string' ? value : undefined
}

function isRepeated(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (isName(rawHeaders[i])) count++
  return count > 1
}

function rawValues(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && isName(rawHeaders[i - 1]))
}

const isName = (name: string | undefined): boolean =>
  name?.length === NAME.length && name.toLowerCase() === NAME

/** Whether the connection itself is TLS. */
export function isEncrypted({ socket }: { readonly socket?: Socket | undefined }): boolean {
  return (socket as { encrypted?: unknown } | undefined)?.encrypted === true
}

/** The fields of a form that a body parser left on the request; `undefined` for other bodies. */
export function formOf({ headers }: { readonly headers: object }, body: unknown): unknown {
  const type = headerOf(headers, 'content-type')
  return type !== undefined && /^application\/x-www-form-urlencoded\b/i.test(type)
    ? body
    : undefined
}

/** The `User-Agent` header, for the context of a request. */
export function userAgentOf({ headers }: { readonly headers: object }): {
  readonly userAgent?: string
} {
  const userAgent = headerOf(headers, 'user-agent')
  return userAgent === undefined ? {} : { userAgent }
}

/** A name set by the application or middleware; header values are client input. */
export function requestIdOf({ id }: { readonly id?: unknown }): { readonly requestId?: string } {
  if (typeof id === 'string') return { requestId: id }
  return typeof id === 'number' ? { requestId: String(id) } : {}
}

/** Sends a complete response, unless a response was already started. */
export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.headersSent || response.writableEnded || response.destroyed) return
  response.statusCode = status
  setHeaders(response, headers)
  response.end(body)
}

/** Sets response headers. A response that carries a token stays `no-store`, even if the handler sets another value. */
export function setHeaders(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (carriesToken(headers)) neverCached(response)
}

/** Whether the headers carry a successor. */
export function carriesToken(headers: Readonly<Record<string, string>>): boolean {
  return Object.hasOwn(headers, 'token-successor')
}

type Head = readonly [message?: unknown, headers?: unknown]

/** Keeps a response `no-store`. Every response passes through `writeHead`, even if its handler never calls it. */
export function neverCached(response: ServerResponse): void {
  const writeHead = response.writeHead.bind(response)
  response.writeHead = (status: number, ...head: Head) => {
    const [message, headers] = typeof head[0] === 'string' ? head : [undefined, head[0] ?? head[1]]
    for (const [name, value] of pairsOf(headers)) response.setHeader(name, value)
    response.setHeader('cache-control', 'no-store')
    return typeof message === 'string' ? writeHead(status, message) : writeHead(status)
  }
}

/** The header formats of `writeHead`: an object, a list of pairs, or a flat list that may repeat names. */
function pairsOf(headers: unknown): Iterable<readonly [string, OutgoingHttpHeader]> {
  if (typeof headers !== 'object' || headers === null) return []
  if (!Array.isArray(headers)) return Object.entries(headers)
  const pairs = Array.isArray(headers[0])
    ? (headers as [string, OutgoingHttpHeader][])
    : headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]] as const] : []))
  const merged = new Map<string, OutgoingHttpHeader>()
  for (const [name, value] of pairs) {
    const known = merged.get(name.toLowerCase())
    merged.set(name.toLowerCase(), known === undefined ? value : [known, value].flat().map(String))
  }
  return merged
}
