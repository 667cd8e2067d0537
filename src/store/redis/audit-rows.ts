/**
 * Rows of the audit as Redis hashes: no field for `null`, and times in decimal.
 *
 * @module
 */
import { textOf } from '../../clients/redis/script.js'
import type { AuditEntry, AuditRow } from '../audit.js'

const CONTENT = [
  ...(['id', 'at', 'action', 'actor', 'subject', 'token', 'family', 'body', 'tag'] as const),
]

/** The fields of a row, in the order in which scripts return their values, before the index. */
export const AUDIT_FIELDS: readonly string[] = [...CONTENT, 'hash', 'place']

/** The last arguments of a script that writes rows: the rows, and the number of their arguments. */
export function auditArgs(rows: readonly AuditRow[] = []): string[] {
  const args = rows.flatMap((row) => {
    const pairs = CONTENT.flatMap((name) => {
      const value = row[name]
      return value === null ? [] : [name, String(value)]
    })
    return [String(pairs.length), ...pairs]
  })
  return [...args, String(args.length)]
}

/**
 * The entry in a reply of values. One unreadable row must not fail a whole list: what is missing or unreadable is passed
 * through, and the core reports that row.
 */
export function auditEntryOf(reply: unknown): AuditEntry {
  const values = (reply as unknown[]).map((value) => (value === null ? null : textOf(value)))
  const [id, written, action, actor, subject, token, family, body, tag, hash, place, index] =
    values as string[]
  const at = integerOf(written)
  const row = { id, at, action, actor, subject, token, family, body, tag } as AuditRow
  const isPurged = body === undefined || body === null
  return { id, at, index: integerOf(index), hash, place, row: isPurged ? null : row } as AuditEntry
}

/** The pending row in a reply of values; one without content if it was removed. */
export function auditRowOf(reply: unknown): AuditRow {
  const { id, at, row } = auditEntryOf(reply)
  return row ?? ({ id, at } as AuditRow)
}

function integerOf(text: string | null | undefined): unknown {
  return text && /^\d{1,16}$/.test(text) ? Number(text) : text
}
