/**
 * Reads the audit of a store; what does not have the form of an entry is recognized, not trusted.
 *
 * @module
 */
import type { AuditEntry, AuditRow } from '../../store/audit.js'

/** The entry as it was read; `undefined` if it does not have the form of one. */
export function parseEntry(value: unknown): AuditEntry | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, at, index, hash, place, row } = value as Partial<AuditEntry>
  const isPlaced = isCount(index) && isHash(hash) && typeof place === 'string'
  const isPending = index === null && hash === null && place === null
  if (typeof id !== 'string' || !isCount(at) || !(isPlaced || isPending)) return undefined
  if (row !== null && !isRow(row)) return undefined
  return { id, at, index, hash, place, row } as AuditEntry
}

/** The id of what was read in place of an entry; `undefined` if it has none. */
export function idOf(value: unknown): string | undefined {
  const id: unknown = (value as { readonly id?: unknown } | null | undefined)?.id
  return typeof id === 'string' ? id : undefined
}

/** Whether a value has the form of a row. */
export function isRow(value: unknown): value is AuditRow {
  if (typeof value !== 'object' || value === null) return false
  const { id, at, action, actor, subject, token, family, body, tag } = value as Partial<AuditRow>
  return (
    [id, action, actor, body, tag].every((text) => typeof text === 'string') &&
    [subject, token, family].every((text) => text === null || typeof text === 'string') &&
    isCount(at)
  )
}

/** Whether a value can be an index, a size or a time. */
export const isCount = (value: unknown): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0

const isHash = (value: unknown): boolean =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
