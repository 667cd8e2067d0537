/**
 * The columns of the audit.
 *
 * @module
 */
import type { Row, SqlScalar } from '../../clients/sql/statement.js'
import type { AuditEntry, AuditRow } from '../audit.js'
import { type Column, hashOf, textOf, toRecord, toValues } from './columns.js'

/** A row of the table: an entry without nesting. Only `id` and `at` are left once it was purged. */
interface Flat {
  readonly id: string
  readonly at: number
  readonly action: string | null
  readonly actor: string | null
  readonly subject: string | null
  readonly token: string | null
  readonly family: string | null
  readonly body: string | null
  readonly tag: string | null
  readonly index: number | null
  readonly hash: string | null
  readonly place: string | null
}

const nullable = (
  name: string,
  field: keyof Flat & string,
  type: Column<Flat>['type'],
): Column<Flat> => ({ name, field, type, nullable: true })

/** The value by which rows of a subject are found. */
const lookupOf = (subject: string | null): string => (subject === null ? '' : hashOf(subject))

const ID = 64
const LONG = 1024 * 3

/** Every column, with the lookup of the subject. */
const COLUMNS: readonly Column<Flat>[] = [
  { name: 'id', field: 'id', type: ID, nullable: false },
  { name: 'written_at', field: 'at', type: 'number', nullable: false },
  nullable('action', 'action', 64 * 3),
  nullable('actor', 'actor', 256 * 3),
  nullable('subject', 'subject', LONG),
  {
    name: 'subject_hash',
    type: 32,
    nullable: true,
    value: ({ subject }) => lookupOf(subject),
  },
  nullable('token', 'token', ID),
  nullable('family', 'family', ID),
  nullable('body', 'body', 16_384 * 3),
  nullable('tag', 'tag', 512),
  nullable('idx', 'index', 'number'),
  nullable('hash', 'hash', ID),
  nullable('place', 'place', 512),
]

const PLACE_COLUMNS = COLUMNS.filter(({ name }) => name === 'id' || name === 'idx')

export const AUDIT_COLUMNS = COLUMNS as readonly Column<never>[]

/** The columns that a purge empties. */
export const PURGED = [
  ...['action', 'actor', 'subject', 'subject_hash', 'token', 'family', 'body', 'tag'],
]

export const HEAD_COLUMNS: readonly Column<never>[] = [
  { name: 'id', type: 'number', nullable: false },
  { name: 'n', type: 'number', nullable: false },
  { name: 'state', type: 8192, nullable: false },
]

/** The values of a pending row, in the order of the columns. */
export function auditValues(row: AuditRow): SqlScalar[] {
  return toValues(COLUMNS, { ...row, index: null, hash: null, place: null })
}

/** The row of a pending entry. */
export function auditRowOf(row: Row): AuditRow {
  const { index: _, hash: __, place: ___, ...content } = toRecord(COLUMNS, row)
  const { subject } = content
  if (textOf(row['subject_hash']) === lookupOf(subject)) return content as AuditRow
  // Someone edited the lookup, which hides the row from lists. No event has an empty subject.
  return { ...content, subject: '' } as AuditRow
}

/** The entry of a row. */
export function auditEntryOf(row: Row): AuditEntry {
  const { id, at, index, hash, place, body } = toRecord(COLUMNS, row)
  return { id, at, index, hash, place, row: body === null ? null : auditRowOf(row) }
}

/** The id and the index of a row. */
export function auditPlaceOf(row: Row): Pick<AuditEntry, 'id' | 'index'> {
  const { id, index } = toRecord(PLACE_COLUMNS, row)
  return { id, index }
}
