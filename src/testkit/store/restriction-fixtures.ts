/**
 * Registers of restrictions for the cases.
 *
 * @module
 */
import type { AuditRow } from '../../store/audit.js'
import type {
  RestrictionKind,
  RestrictionRecord,
  RestrictionStore,
} from '../../store/restrictions.js'
import { compareTargets } from '../../store/restrictions.js'
import type { Store } from '../../store/store.js'
import { holds, present, same } from './case.js'
import { type Fixtures, HOUR, NOW } from './fixtures.js'

/** The part of a store that keeps restrictions. */
export function restrictionsOf(store: Store): RestrictionStore {
  return present(store.restrictions, 'the part of the store that keeps restrictions')
}

/** The first revision of a register. */
export function registerOf(
  kind: RestrictionKind,
  value: string,
  over: Partial<RestrictionRecord> = {},
): RestrictionRecord {
  return {
    kind,
    value,
    revision: 1,
    state: '{"suspended":{"until":null}}',
    family: null,
    generation: null,
    at: NOW,
    actor: 'operator',
    reason: 'looks stolen',
    expiresAt: NOW + HOUR,
    tag: `v4.local.${kind}`,
    ...over,
  }
}

/** The revision after this one. */
export function revisionAfter(
  row: RestrictionRecord,
  over: Partial<RestrictionRecord> = {},
): RestrictionRecord {
  return { ...row, revision: row.revision + 1, state: '{}', reason: null, ...over }
}

/** Writes a register that must be written. */
export async function write(
  store: Store,
  next: RestrictionRecord,
  audit?: readonly AuditRow[],
): Promise<void> {
  const result = await restrictionsOf(store).write(next, audit)
  same(result, { outcome: 'written' }, `the write of revision ${next.revision} of ${next.value}`)
}

/** Lists every register in pages of this size. */
export async function allRegisters(store: Store, limit = 400): Promise<RestrictionRecord[]> {
  const rows: RestrictionRecord[] = []
  for (;;) {
    const last = rows.at(-1)
    const after = last && { kind: last.kind, value: last.value }
    const page = await restrictionsOf(store).list({
      limit,
      ...(after === undefined ? {} : { after }),
    })
    const [first] = page
    // A list that does not advance would be read in an endless loop.
    if (last !== undefined && first !== undefined)
      holds(compareTargets(first, last) > 0, 'a page begins at or before the end of the last one')
    rows.push(...page)
    if (page.length < limit) return rows
  }
}

/** A row of the audit. */
export function auditRow(make: Fixtures): AuditRow {
  return {
    id: make.id(),
    at: NOW,
    action: 'token.restricted',
    actor: 'operator',
    subject: null,
    token: null,
    family: null,
    body: '{}',
    tag: 'v4.local.tag',
  }
}

/** The ids of pending rows of the audit; `undefined` if the store keeps none. */
export async function pendingIds(store: Store): Promise<string[] | undefined> {
  const rows = await store.audit?.listPending({ limit: 100 })
  return rows?.map(({ id }) => id)
}
