/**
 * The body of a request: read within limits, or taken from a body parser that ran before.
 *
 * @module
 */

import type { IncomingMessage } from 'node:http'
import { fieldsOf } from '../../lib/fields.js'
import { parseJsonObject } from '../../token/json.js'

/** The body of a request: its text, the result of a parser, or a marker that it is too long. */
export type Body = { readonly text: string } | { readonly parsed: unknown } | 'too_long'

/** The fields of a form without duplicates. */
export type Fields = Readonly<Record<string, string>>

/**
 * Reads the body of a Node request, unless it was read before; then `parsed` is the result. A value that a parser
 * leaves on an unread request, as Express 4 does, does not count.
 */
export function readStream(
  stream: IncomingMessage,
  parsed: unknown,
  maxBytes: number,
): Promise<Body> {
  if (stream.readableDidRead || stream.readableEnded) return Promise.resolve(bodyOf(parsed))
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    stream.on('data', (chunk: Uint8Array) => {
      length += chunk.length
      if (length <= maxBytes) {
        chunks.push(chunk)
        return
      }
      // An oversized body is not read to its end: `closeIfUnread` closes the connection after the response.
      stream.pause()
      chunks.length = 0
      resolve('too_long')
    })
    stream.on('end', () => resolve(textOf(chunks)))
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('the request was aborted')))
  })
}

/**
 * Reads the body of a Web request. `stop` is called with the reader if the body is longer than `maxBytes`, to release
 * the rest.
 */
export async function readWebStream(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  stop: (reader: ReadableStreamDefaultReader<Uint8Array>) => void,
): Promise<Body> {
  if (stream === null) return { text: '' }
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return textOf(chunks)
    length += value.length
    if (length > maxBytes) {
      stop(reader)
      return 'too_long'
    }
    chunks.push(value)
  }
}

const textOf = (chunks: readonly Uint8Array[]): Body => ({ text: Buffer.concat(chunks).toString() })

function bodyOf(parsed: unknown): Body {
  if (typeof parsed === 'string') return { text: parsed }
  if (parsed instanceof Uint8Array) return textOf([parsed])
  return parsed instanceof URLSearchParams ? { text: parsed.toString() } : { parsed }
}

/** Whether the body is a URL-encoded form, as the OAuth RFCs require. */
export const isForm = (type: string): boolean => isType(type, 'application/x-www-form-urlencoded')

/** Whether the body is JSON. */
export const isJson = (type: string): boolean => isType(type, 'application/json')

const isType = (type: string, name: string): boolean =>
  type.split(';', 1)[0]?.trim().toLowerCase() === name

/** The fields of a form; `undefined` if one is repeated (RFC 6749, section 3.2). */
export function readForm(body: Exclude<Body, string>): Fields | undefined {
  const pairs = isText(body) ? new URLSearchParams(body.text) : Object.entries(body.parsed ?? {})
  const fields: Record<string, string> = Object.create(null)
  for (const [name, value] of pairs) {
    // Parsers convert repeated fields to a list.
    if (name in fields || Array.isArray(value)) return undefined
    if (typeof value === 'string') fields[name] = value
  }
  return fields
}

const JSON_LIMITS = { maxDepth: 4, maxKeys: 64 } as const

/** The members of a JSON object; `undefined` for anything else. */
export function readJson(
  body: Exclude<Body, string>,
): Readonly<Record<string, unknown>> | undefined {
  const parsed = isText(body) ? parseJsonObject(body.text.trim(), JSON_LIMITS) : body.parsed
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
  return isObject ? fieldsOf(parsed, []) : undefined
}

function isText(body: Exclude<Body, string>): body is { readonly text: string } {
  return Object.hasOwn(body, 'text')
}
