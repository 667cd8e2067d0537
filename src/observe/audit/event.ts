/**
 * The rows of the audit: the canonical JSON of an event, and the fields of a row that follow from it.
 *
 * @module
 */
import type { AuditRow } from '../../store/audit.js'
import type { AuditEvent } from '../channels.js'

/** The fields of a row that follow from its event. */
export type AuditColumns = Omit<AuditRow, 'id' | 'body' | 'tag'>

// No id that an authority has written is longer, and no name. Some databases do not limit what an attacker writes.
const MAX_FOUND = 1024

/** The id of a row that was found in the store, for an event. */
export const foundId = (id: string): string =>
  id.length > MAX_FOUND ? `a text of ${id.length} characters` : id

/** The fields of a row for an event. */
export function columnsOf(event: AuditEvent): AuditColumns {
  const { at, action, actor } = event
  // `Object.prototype` may be polluted, and the body has own fields only.
  const own = (field: 'target' | 'id' | 'subject' | 'family') =>
    Object.hasOwn(event, field) ? (event[field] ?? null) : null
  const [target, id] = [own('target'), own('id')]
  const named = (kind: string) => (target === kind ? id : null)
  return {
    at,
    action,
    actor,
    subject: own('subject') ?? named('subject'),
    token: target === null ? id : named('token'),
    family: own('family') ?? named('family'),
  }
}

/**
 * The event as JSON with its fields in alphabetical order and without white space (RFC 8785), and with the id of its
 * row as `row`.
 */
export function bodyOf(row: string, event: AuditEvent): string {
  const fields = { ...event, row } as Readonly<Record<string, unknown>>
  const members = Object.keys(fields)
    .sort()
    .flatMap((name) => (fields[name] === undefined ? [] : [`"${name}":${valueJson(fields[name])}`]))
  return `{${members.join(',')}}`
}

// `JSON.stringify` would call a `toJSON` of a polluted prototype for a list, but not for text and numbers.
function valueJson(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(',')}]`
    : JSON.stringify(value)
}

/** The event of a body; `undefined` for text that is not the canonical body of the row with this id. */
export function eventOf(row: string, body: string): AuditEvent | undefined {
  try {
    const { row: named, ...event } = JSON.parse(body) as { readonly row?: unknown } & AuditEvent
    return named === row && bodyOf(row, event) === body ? Object.freeze(event) : undefined
  } catch {
    return undefined
  }
}

/**
 * Whether the fields of a row are those of its event.
 *
 * @param body - Its body, which is known to be one that the authority wrote for this row.
 */
export function agreesWith(row: AuditRow, body: string): boolean {
  return agrees(row, JSON.parse(body) as AuditEvent)
}

/** Whether the fields of a row are those of its event. */
export function agrees(row: AuditRow, event: AuditEvent): boolean {
  const columns = columnsOf(event)
  return (Object.keys(columns) as (keyof AuditColumns)[]).every(
    (field) => row[field] === columns[field],
  )
}
