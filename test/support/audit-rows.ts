/**
 * Rows of the audit as a store receives them.
 *
 * @module
 */
import type { AuditRow, AuditStore } from '../../src/store/audit.js'
import type { Store } from '../../src/store/store.js'
import { type Fixtures, NOW } from '../../src/testkit/store/fixtures.js'

/** The part of a store that keeps the audit. */
export function auditOf(store: Store): AuditStore {
  if (store.audit === undefined) throw new Error(`the ${store.name} store keeps no audit`)
  return store.audit
}

/** A row with a new id. */
export function auditRow(make: Fixtures, over: Partial<AuditRow> = {}): AuditRow {
  const id = make.id()
  const text = { action: 'token.issued', actor: 'ops', body: `{"row":"${id}"}`, tag: 'v4.local.x' }
  return { id, at: NOW, ...text, subject: 'user:1', token: null, family: null, ...over }
}
