import { describe, expect, it } from 'vitest'
import type { Row } from '../../../../src/clients/sql/statement.js'
import type { AuditRow } from '../../../../src/store/audit.js'
import {
  AUDIT_COLUMNS,
  auditEntryOf,
  auditPlaceOf,
  auditRowOf,
  auditValues,
  PURGED,
} from '../../../../src/store/sql/audit-columns.js'

const ROW: AuditRow = {
  id: 'row-1',
  at: 5,
  action: 'token.issued',
  actor: 'ops',
  subject: 'svc_billing',
  token: 'token-1',
  family: 'token-1',
  body: '{}',
  tag: 'tag',
}

/** The columns as the database returns them. */
function stored(row: AuditRow = ROW, change: Record<string, unknown> = {}): Row {
  const values = auditValues(row)
  const columns = AUDIT_COLUMNS.map(({ name }, i) => [name, values[i]] as const)
  return { ...Object.fromEntries(columns), ...change } as Row
}

describe('the columns of the audit', () => {
  it.each([ROW, { ...ROW, subject: null, token: null, family: null }])(
    'return the row that was written: %j',
    (row) => {
      expect(auditRowOf(stored(row))).toEqual(row)
      const none = { index: null, hash: null, place: null }
      expect(auditEntryOf(stored(row))).toEqual({ id: 'row-1', at: 5, ...none, row })
    },
  )

  it('return the place of a row, with numbers that the driver returns as text', () => {
    const place = { idx: '7', hash: 'ab', place: 'sealed' }
    expect(auditEntryOf(stored(ROW, place))).toEqual({
      ...{ id: 'row-1', at: 5, index: 7, hash: 'ab', place: 'sealed', row: ROW },
    })
    expect(auditPlaceOf({ id: 'row-1', idx: '7' })).toEqual({ id: 'row-1', index: 7 })
  })

  it('return the entry of a purged row without its content', () => {
    const purged = Object.fromEntries(PURGED.map((name) => [name, null]))
    expect(auditEntryOf(stored(ROW, { ...purged, idx: 7 }))).toMatchObject({ index: 7, row: null })
  })

  it.each([
    ['another subject', ROW, { subject: 'other' }],
    ['another lookup', ROW, { subject_hash: 'other' }],
    ['no lookup', ROW, { subject_hash: null }],
    ['a lookup for no subject', { ...ROW, subject: null }, { subject_hash: 'other' }],
  ])('mark a row by an empty subject if someone wrote %s', (_, row, change) => {
    expect(auditRowOf(stored(row, change)).subject).toBe('')
  })
})
