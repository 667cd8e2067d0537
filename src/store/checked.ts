/**
 * The boundary to a store: responses are parsed before use, and requests inherit nothing from a polluted prototype.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { bare } from '../lib/fields.js'
import type { AuditRow } from './audit.js'
import { parseRestriction, restrictionName } from './restriction-schema.js'
import type { RestrictionRecord } from './restrictions.js'
import type {
  KeyRecord,
  Page,
  Revocation,
  Store,
  Succession,
  TokenFilter,
  TokenListPage,
  TokenRecord,
} from './store.js'

const time = z.number().check(z.int(), z.nonnegative())
const text = z.string().check(z.minLength(1))
const maybeTime = z.nullable(time)
const maybeText = z.nullable(text)

const tokenSchema = z.object({
  id: text,
  family: text,
  generation: time,
  predecessor: maybeText,
  successor: maybeText,
  subject: text,
  audience: text,
  policy: text,
  policyVersion: time,
  scopes: z.array(text),
  keyId: text,
  issuedAt: time,
  notBefore: maybeTime,
  expiresAt: time,
  familyIssuedAt: time,
  familyExpiresAt: time,
  issuedBy: text,
  ttl: time,
  rotatable: z.boolean(),
  tag: z.string(),
  label: maybeText,
  owner: maybeText,
  purpose: maybeText,
  hint: maybeText,
  detailsTag: z.string(),
  supersededAt: maybeTime,
  revokedAt: maybeTime,
  revokedBy: maybeText,
  revokedReason: maybeText,
  lastUsedAt: maybeTime,
})

const keySchema = z.object({
  id: text,
  audience: text,
  generation: time,
  wrapped: text,
  wrappedBy: text,
  createdAt: time,
  activatesAt: time,
  retiresAt: time,
  expiresAt: time,
  revokedAt: maybeTime,
  tag: z.string(),
})

const revocationSchema = z.object({
  id: text,
  kind: z.enum(['token', 'family', 'subject', 'key', 'audience', 'all']),
  value: z.string(),
  before: time,
  at: time,
  actor: text,
  reason: maybeText,
  expiresAt: time,
  family: maybeText,
  generation: maybeTime,
  tag: z.string(),
})

const matchedSchema = z.object({ matched: time })

/** One returned row: its id (`?` if unreadable), and the record if it parses. */
export interface CheckedRow<T> {
  readonly id: string
  readonly record: T | undefined
}

/** The records among checked rows. */
export function recordsOf<T>(rows: readonly CheckedRow<T>[]): T[] {
  return rows.flatMap(({ record }) => (record === undefined ? [] : [record]))
}

/** The ids of the rows that do not parse. */
export function corruptIdsOf(rows: readonly CheckedRow<unknown>[]): string[] {
  return rows.flatMap(({ id, record }) => (record === undefined ? [id] : []))
}

/** Returns a token record, if it exists. Rejects with `ERR_STORE_CORRUPT` if the record does not parse. */
export async function readToken(store: Store, id: string): Promise<TokenRecord | undefined> {
  const row: unknown = await store.getToken(id)
  if (row === undefined) return undefined
  const record = parseToken(row)
  // A connection that mixed up two responses must not turn one token into another.
  if (record?.id !== id) throw corruptRow('token', id)
  return record
}

/** Returns a page of token records. */
export async function readTokens(
  store: Store,
  filter: TokenFilter,
  page: TokenListPage,
): Promise<CheckedRow<TokenRecord>[]> {
  return checkRows(await store.listTokens(bare(filter), bare(page)), parseToken)
}

/** Returns the number of matching token records. Rejects with `ERR_STORE_CORRUPT` if the result is not a number. */
export async function readCount(store: Store, filter: TokenFilter): Promise<number> {
  return readNumber(await store.countTokens(bare(filter)), 'tokens')
}

/** The number in a result of a store. Throws `ERR_STORE_CORRUPT`. */
export function readNumber(result: unknown, what: string): number {
  const parsed = parseWith<number>(time, result)
  if (parsed === undefined) throw corruptRow('count', what)
  return parsed
}

/** Returns the key records. */
export async function readKeys(store: Store): Promise<CheckedRow<KeyRecord>[]> {
  return checkRows(await store.listKeys(), (row) => parseWith<KeyRecord>(keySchema, row))
}

/** Returns a page of revocations. */
export async function readRevocations(store: Store, page: Page): Promise<CheckedRow<Revocation>[]> {
  const rows = await store.listRevocations(bare(page))
  return checkRows(rows, (row) => parseWith<Revocation>(revocationSchema, row))
}

/** One page of changes: checked rows and the next cursor. */
export interface CheckedChanges {
  readonly revocations: readonly CheckedRow<Revocation>[]
  readonly superseded: readonly CheckedRow<TokenRecord>[]
  /** Empty if the store has no part that keeps restrictions. */
  readonly restrictions: readonly CheckedRow<RestrictionRecord>[]
  readonly cursor: string
  readonly more: boolean
}

/** Returns a page of changes. Rejects with `ERR_STORE_CORRUPT` if the page itself does not parse. */
export async function readChanges(
  store: Store,
  after: string | null,
  limit: number,
): Promise<CheckedChanges> {
  const page = await store.changes(after, limit)
  const { revocations, superseded, cursor, more } = page
  const restrictions = store.restrictions === undefined ? [] : page.restrictions
  // A page whose cursor did not advance would be read again in an endless loop.
  if (typeof cursor !== 'string' || typeof more !== 'boolean' || (more && cursor === after))
    throw corruptRow('page of changes', 'cursor')
  // Such as from a wrapper of a store that does not know the part.
  if (restrictions === undefined) throw corruptRow('page of changes', 'restrictions')
  return {
    revocations: checkRows(revocations, (row) => parseWith<Revocation>(revocationSchema, row)),
    superseded: checkRows(superseded, parseToken),
    restrictions: restrictions.map((row) => ({
      id: restrictionName(row),
      record: parseRestriction(row),
    })),
    cursor,
    more,
  }
}

/** Writes a revocation and returns the number of live records it matched. */
export async function writeRevocation(
  store: Store,
  revocation: Revocation,
  audit?: readonly AuditRow[],
): Promise<number> {
  const result: unknown = await store.revoke(revocation, audit)
  const parsed = parseWith<{ matched: number }>(matchedSchema, result)
  if (parsed === undefined) throw corruptRow('result of the revocation', revocation.id)
  return parsed.matched
}

/** Requests a succession and checks the returned records. */
export async function writeSuccession(
  store: Store,
  predecessorId: string,
  successor: TokenRecord,
  supersededAt: number | null,
  audit?: readonly AuditRow[],
): Promise<Succession> {
  const result = await store.succeed(predecessorId, successor, supersededAt, audit)
  if (result.outcome !== 'already' && result.outcome !== 'changed') return result
  const before = parseToken(result.predecessor)
  if (before?.id !== predecessorId) throw corruptRow('token', predecessorId)
  if (result.outcome === 'changed') return { outcome: 'changed', predecessor: before }
  const winner = parseToken(result.successor)
  if (winner === undefined) throw corruptRow('token', predecessorId)
  return { outcome: 'already', predecessor: before, successor: winner }
}

function parseToken(row: unknown): TokenRecord | undefined {
  return parseWith<TokenRecord>(tokenSchema, row)
}

function parseWith<T>(schema: z.ZodMiniType<T>, row: unknown): T | undefined {
  const parsed = schema.safeParse(row)
  return parsed.success ? parsed.data : undefined
}

function checkRows<T>(
  rows: readonly unknown[],
  parse: (row: unknown) => T | undefined,
): CheckedRow<T>[] {
  return rows.map((row) => ({ id: idOf(row), record: parse(row) }))
}

function idOf(row: unknown): string {
  const id = typeof row === 'object' && row !== null ? (row as { id?: unknown }).id : undefined
  return typeof id === 'string' ? id : '?'
}

/** The error for a row that does not parse. */
export function corruptRow(kind: string, id: string): WatchwordError<'ERR_STORE_CORRUPT'> {
  return new WatchwordError(
    'ERR_STORE_CORRUPT',
    'the store returned a record that does not parse',
    {
      detail: `${kind} ${id}`,
    },
  )
}
