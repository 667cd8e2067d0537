/**
 * Rows of the audit as Redis hashes: no field for `null`, and times in decimal.
 *
 * @module
 */
import { textOf } from '../../clients/redis/script.js'
import type { AuditEntry, AuditRow } from '../audit.js'
import { argsOf, type Columns, integerOf } from './rows.js'

const CONTENT: Columns<AuditRow> = {
  id: 'text',
  at: 'integer',
  action: 'text',
  actor: 'text',
  subject: ['text', null],
  token: ['text', null],
  family: ['text', null],
  body: 'text',
  tag: 'text',
}

/** The fields of a row, in the order in which scripts return their values, before the index. */
export const AUDIT_FIELDS: readonly string[] = [...Object.keys(CONTENT), 'hash', 'place']

/** The last arguments of a script that writes rows: the rows, and the number of their arguments. */
export function auditArgs(rows: readonly AuditRow[] = []): string[] {
  const args = rows.flatMap((row) => argsOf(CONTENT, row))
  return [...args, String(args.length)]
}

/**
 * The entry in a reply of values. One unreadable row must not fail a whole list: what is missing or unreadable is passed
 * through, and the core reports that row.
 */
export function auditEntryOf(reply: unknown): AuditEntry {
  const values = (reply as unknown[]).map((value) => (value === null ? null : textOf(value)))
  const [id, written, action, actor, subject, token, family, body, tag, hash, place, number] =
    values as string[]
  const [at, index] = [written, number].map((text) => text && integerOf(text))
  const row = { id, at, action, actor, subject, token, family, body, tag } as AuditRow
  const isPurged = body === undefined || body === null
  return { id, at, index, hash, place, row: isPurged ? null : row } as AuditEntry
}

/** The pending row in a reply of values; one without content if it was removed. */
export function auditRowOf(reply: unknown): AuditRow {
  const { id, at, row } = auditEntryOf(reply)
  return row ?? ({ id, at } as AuditRow)
}
