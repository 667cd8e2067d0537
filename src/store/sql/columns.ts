/**
 * The mapping between columns and fields, and between rows and records.
 *
 * @module
 */

import { hash } from 'node:crypto'
import { type Row, raw, type Sql, type SqlScalar } from '../../clients/sql/statement.js'
import { listJson } from '../../lib/plain.js'
import type { KeyRecord, Revocation, TokenRecord } from '../store.js'

/** One column. */
export interface Column<T> {
  readonly name: string
  /**
   * The maximum length of text in bytes of UTF-8, `json` for a list of texts, `long` for more than 64 KiB of text, or
   * `number`.
   */
  readonly type: number | 'json' | 'long' | 'number'
  readonly nullable: boolean
  /** The version of the schema that added the column. Default: the first. */
  readonly since?: 2 | 3
  /** Whether the number represents `true` (1) or `false` (0). */
  readonly flag?: true
  /** The value of rows written before the column existed. Default: `null`. */
  readonly missing?: (record: T) => unknown
  /** The field of the record. A column without one exists only for lookups. */
  readonly field?: keyof T & string
  /** The content of a column without a field. */
  readonly value?: (record: T) => string
}

const ID = 64
// A UTF-16 unit takes at most three bytes of UTF-8.
const AUDIENCE = 256 * 3
const ACTOR = 256 * 3
const LONG = 1024 * 3
const HASH = 32

type Field<T> = keyof T & string
const column = <T>(name: string, field: Field<T>, type: Column<T>['type']): Column<T> => ({
  name,
  field,
  type,
  nullable: false,
})
const optional = <T>(name: string, field: Field<T>, type: Column<T>['type']): Column<T> => ({
  name,
  field,
  type,
  nullable: true,
})

const added = <T>(
  name: string,
  field: Field<T>,
  type: Column<T>['type'],
  more: Pick<Column<T>, 'flag' | 'missing'> = {},
): Column<T> => ({ ...optional(name, field, type), since: 2, ...more })

const detail = (name: string, field: Field<TokenRecord>, length: number): Column<TokenRecord> => ({
  ...optional(name, field, length),
  since: 3,
})

const TAG = 512
const noTag = { missing: () => '' }

export const TOKEN_COLUMNS: readonly Column<TokenRecord>[] = [
  column('id', 'id', ID),
  column('family', 'family', ID),
  column('generation', 'generation', 'number'),
  optional('predecessor', 'predecessor', ID),
  optional('successor', 'successor', ID),
  column('subject', 'subject', LONG),
  {
    name: 'subject_hash',
    type: HASH,
    nullable: false,
    value: ({ subject }) => hashOf(subject),
  },
  column('audience', 'audience', AUDIENCE),
  column('policy', 'policy', 64 * 3),
  column('policy_version', 'policyVersion', 'number'),
  column('scopes', 'scopes', 'json'),
  column('key_id', 'keyId', ID),
  column('issued_at', 'issuedAt', 'number'),
  optional('not_before', 'notBefore', 'number'),
  column('expires_at', 'expiresAt', 'number'),
  column('family_issued_at', 'familyIssuedAt', 'number'),
  column('family_expires_at', 'familyExpiresAt', 'number'),
  column('issued_by', 'issuedBy', ACTOR),
  optional('superseded_at', 'supersededAt', 'number'),
  optional('revoked_at', 'revokedAt', 'number'),
  optional('revoked_by', 'revokedBy', ACTOR),
  optional('revoked_reason', 'revokedReason', LONG),
  optional('last_used_at', 'lastUsedAt', 'number'),
  added('ttl', 'ttl', 'number', { missing: ({ issuedAt, expiresAt }) => expiresAt - issuedAt }),
  added('rotatable', 'rotatable', 'number', { flag: true, missing: () => true }),
  added('tag', 'tag', TAG, noTag),
  detail('label', 'label', 128 * 3),
  detail('owner', 'owner', 256 * 3),
  detail('purpose', 'purpose', 512 * 3),
  detail('hint', 'hint', 16),
  { ...detail('details_tag', 'detailsTag', TAG), ...noTag },
]

export const KEY_COLUMNS: readonly Column<KeyRecord>[] = [
  column('id', 'id', ID),
  column('audience', 'audience', AUDIENCE),
  column('generation', 'generation', 'number'),
  column('wrapped', 'wrapped', 1024),
  column('wrapped_by', 'wrappedBy', 256),
  column('created_at', 'createdAt', 'number'),
  column('activates_at', 'activatesAt', 'number'),
  column('retires_at', 'retiresAt', 'number'),
  column('expires_at', 'expiresAt', 'number'),
  optional('revoked_at', 'revokedAt', 'number'),
  added('tag', 'tag', TAG, noTag),
]

export const REVOCATION_COLUMNS: readonly Column<Revocation>[] = [
  column('id', 'id', ID),
  column('kind', 'kind', 16),
  column('value', 'value', LONG),
  { name: 'target', type: AUDIENCE, nullable: false, value: targetOf },
  column('before_at', 'before', 'number'),
  column('revoked_at', 'at', 'number'),
  column('actor', 'actor', ACTOR),
  optional('reason', 'reason', LONG),
  column('expires_at', 'expiresAt', 'number'),
  added('family', 'family', ID),
  added('generation', 'generation', 'number'),
  added('tag', 'tag', TAG, noTag),
]

/** The number of the last change of a row, by which `changes` finds it. */
export const CHANGED: Column<never> = { name: 'changed', type: 'number', nullable: true, since: 2 }
/** The number of live records that a revocation matched, returned when it is repeated. */
export const MATCHED: Column<never> = { name: 'matched', type: 'number', nullable: true, since: 2 }

/** The columns as a list in SQL. */
export function namesOf<T>(columns: readonly Column<T>[]): Sql {
  return raw(columns.map(({ name }) => name).join(', '))
}

/** The columns of a record, as a list in SQL. Never `*`: a newer schema may have more. */
export function fieldsOf<T>(columns: readonly Column<T>[]): Sql {
  return namesOf(columns.filter(({ field }) => field !== undefined))
}

/** The values of a record, in the order of its columns. */
export function toValues<T>(columns: readonly Column<T>[], record: T): SqlScalar[] {
  return columns.map(({ field, type, value }) => {
    if (field === undefined) return value === undefined ? null : value(record)
    const content = record[field]
    if (typeof content === 'boolean') return Number(content)
    return type === 'json' && Array.isArray(content) ? listJson(content) : (content as SqlScalar)
  })
}

/** Converts a row to a record. Invalid values are passed through: the core rejects the record by its id. */
export function toRecord<T>(columns: readonly Column<T>[], row: Row): T {
  const record: Record<string, unknown> = {}
  for (const { name, field, type, flag, missing } of columns) {
    if (field === undefined) continue
    const content = row[name]
    if (content === null || content === undefined)
      record[field] = missing === undefined ? null : missing(record as T)
    else if (flag) record[field] = flagOf(Number(content))
    else if (type === 'number') record[field] = Number(content)
    else record[field] = type === 'json' ? parsed(textOf(content)) : textOf(content)
  }
  return record as T
}

// Any other number is passed through, and the core rejects it.
function flagOf(content: number): unknown {
  return content === 0 || content === 1 ? content === 1 : content
}

/** Text as a string, which some drivers return as bytes. */
export function textOf(content: unknown): unknown {
  return content instanceof Uint8Array ? Buffer.from(content).toString('utf8') : content
}

function parsed(content: unknown): unknown {
  try {
    return JSON.parse(content as string)
  } catch {
    return content
  }
}

/**
 * The value of a text in an index: a subject may be longer than an index of PostgreSQL or InnoDB can hold. The text
 * itself is not compared, since a collision of 192 bits is infeasible. With both conditions, planners would treat them
 * as independent, expect almost no rows, and sort instead of using the index.
 */
export function hashOf(text: string): string {
  return hash('sha256', text, 'buffer').toString('base64url', 0, 24)
}

/** The lookup of a revocation: the indexed column of its tokens. */
function targetOf({ kind, value }: Revocation): string {
  const isShort = Buffer.byteLength(value) <= AUDIENCE
  return kind !== 'subject' && isShort ? value : hashOf(value)
}

/** Whether a database can store the text. If not, no stored value equals it. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}
