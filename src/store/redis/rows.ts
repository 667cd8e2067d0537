/**
 * Records as Redis hashes, one field for each property: times and counts in decimal, scopes as JSON, and no field for
 * `null`.
 *
 * One unreadable row must not fail a whole list: unreadable values are passed through, and the core rejects that
 * record.
 *
 * @module
 */

import { textOf } from '../../clients/redis/script.js'
import { listJson } from '../../lib/plain.js'
import type { KeyRecord, Revocation, TokenDetails, TokenRecord } from '../store.js'

type Kind = 'text' | 'integer' | 'texts' | 'flag'

/** The encoding of each property, with `null` beside it if it may be null. */
export type Columns<T> = { readonly [K in keyof T]-?: Kind | readonly [Kind, null] }

const DETAILS: Columns<TokenDetails> = {
  label: ['text', null],
  owner: ['text', null],
  purpose: ['text', null],
  detailsTag: 'text',
}

const TOKEN: Columns<TokenRecord> = {
  ...DETAILS,
  id: 'text',
  family: 'text',
  generation: 'integer',
  predecessor: ['text', null],
  successor: ['text', null],
  subject: 'text',
  audience: 'text',
  policy: 'text',
  policyVersion: 'integer',
  scopes: 'texts',
  keyId: 'text',
  issuedAt: 'integer',
  notBefore: ['integer', null],
  expiresAt: 'integer',
  familyIssuedAt: 'integer',
  familyExpiresAt: 'integer',
  issuedBy: 'text',
  supersededAt: ['integer', null],
  revokedAt: ['integer', null],
  revokedBy: ['text', null],
  revokedReason: ['text', null],
  lastUsedAt: ['integer', null],
  ttl: 'integer',
  rotatable: 'flag',
  tag: 'text',
  hint: ['text', null],
}

const KEY: Columns<KeyRecord> = {
  id: 'text',
  audience: 'text',
  generation: 'integer',
  wrapped: 'text',
  wrappedBy: 'text',
  createdAt: 'integer',
  activatesAt: 'integer',
  retiresAt: 'integer',
  expiresAt: 'integer',
  revokedAt: ['integer', null],
  tag: 'text',
}

const REVOCATION: Columns<Revocation> = {
  id: 'text',
  kind: 'text',
  value: 'text',
  before: 'integer',
  at: 'integer',
  actor: 'text',
  reason: ['text', null],
  expiresAt: 'integer',
  family: ['text', null],
  generation: ['integer', null],
  tag: 'text',
}

/** The value of a property in rows written before the property existed. */
type Missing<T> = { readonly [K in keyof T]?: (record: T) => unknown }

const NO_TAG = { tag: () => '' }
const TOKEN_MISSING: Missing<TokenRecord> = {
  ...NO_TAG,
  detailsTag: () => '',
  ttl: ({ issuedAt, expiresAt }) => expiresAt - issuedAt,
  rotatable: () => true,
}

export const tokenArgs = (record: TokenRecord): string[] => argsOf(TOKEN, record)
export const detailArgs = (details: TokenDetails): string[] => argsOf(DETAILS, details)
export const keyArgs = (record: KeyRecord): string[] => argsOf(KEY, record)
export const revocationArgs = (record: Revocation): string[] => argsOf(REVOCATION, record)

/** The record in a reply of alternating names and values. */
export const tokenOf = (reply: unknown): TokenRecord => recordOf(TOKEN, reply, TOKEN_MISSING)
export const keyOf = (reply: unknown): KeyRecord => recordOf(KEY, reply, NO_TAG)
export const revocationOf = (reply: unknown): Revocation => recordOf(REVOCATION, reply, NO_TAG)

/** A record as script arguments: the number of elements, then alternating names and values. */
export function argsOf<T extends object>(columns: Columns<T>, record: T): string[] {
  const pairs: string[] = []
  for (const name of Object.keys(columns) as (keyof T & string)[]) {
    const value = record[name]
    if (value === null || value === undefined) continue
    pairs.push(name, textFor(value))
  }
  return [String(pairs.length), ...pairs]
}

function textFor(value: unknown): string {
  if (Array.isArray(value)) return listJson(value)
  return typeof value === 'boolean' ? String(Number(value)) : String(value)
}

/** The record in a reply of alternating names and values. */
export function recordOf<T extends object>(
  columns: Columns<T>,
  reply: unknown,
  missing: Missing<T>,
): T {
  if (!Array.isArray(reply)) throw new Error('redis returned a reply that is not a row')
  const fields = new Map<string, string>()
  for (let at = 0; at + 1 < reply.length; at += 2)
    fields.set(textOf(reply[at]), textOf(reply[at + 1]))
  const record: Record<string, unknown> = {}
  for (const name of Object.keys(columns) as (keyof T & string)[]) {
    const column: Kind | readonly [Kind, null] = columns[name]
    const text = fields.get(name)
    const kind = typeof column === 'string' ? column : column[0]
    // A required property that is missing stays undefined, so the core rejects the record.
    record[name] =
      text !== undefined
        ? parse(kind, text)
        : typeof column === 'string'
          ? missing[name]?.(record as T)
          : null
  }
  return record as T
}

function parse(kind: Kind, text: string): unknown {
  if (kind === 'integer') return integerOf(text)
  if (kind === 'text') return text
  if (kind === 'flag') return text === '1' || text === '0' ? text === '1' : text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The integer in a text; the text if it has none. */
export function integerOf(text: string): number | string {
  return /^\d{1,16}$/.test(text) ? Number(text) : text
}
