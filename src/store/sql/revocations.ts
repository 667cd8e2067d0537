/**
 * The operations on revocations, keys and expired rows, shared by every database.
 *
 * @module
 */

import { type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import type { AuditRow } from '../audit.js'
import type { KeyRecord, Matched, Revocation } from '../store.js'
import { takenNumber } from './arrivals.js'
import { writeAudit } from './audit.js'
import { fieldsOf, hashOf, KEY_COLUMNS, namesOf, REVOCATION_COLUMNS, toValues } from './columns.js'
import type { Dialect } from './dialect.js'

/**
 * Stores a revocation and marks the tokens that it covers. Must run under the exclusive lock for creating tokens and
 * the lock of the stripe.
 */
export function* revoke(
  dialect: Dialect,
  revocation: Revocation,
  stripe: number,
  audit?: readonly AuditRow[],
): Steps<Matched> {
  const { tokens, keys, revocations } = dialect.tables
  const { id, kind, value, at, actor, reason } = revocation
  const columns = namesOf(REVOCATION_COLUMNS)
  const values = toValues(REVOCATION_COLUMNS, revocation)
  const kept = yield dialect.insertUnlessThere(revocations, columns, values)
  if (kept.changes === 0) {
    const { rows } = yield sql`SELECT matched FROM ${revocations} WHERE id = ${id}`
    return { matched: Number(rows[0]?.['matched'] ?? 0) }
  }
  yield* writeAudit(dialect, audit)
  const covered = sql`revoked_at IS NULL AND ${coverage(revocation)}`
  const { rows } = yield sql`SELECT COUNT(*) AS matched FROM ${tokens} WHERE ${covered}
    AND expires_at > ${at} AND (superseded_at IS NULL OR superseded_at > ${at})`
  const matched = Number(rows[0]?.['matched'])
  yield sql`UPDATE ${revocations} SET matched = ${matched}, changed = ${takenNumber(dialect, stripe)}
    WHERE id = ${id}`
  const set = sql`revoked_at = ${at}, revoked_by = ${actor}, revoked_reason = ${reason}`
  yield dialect.markRevoked(set, covered)
  if (kind === 'key')
    yield sql`UPDATE ${keys} SET revoked_at = ${at} WHERE id = ${value} AND revoked_at IS NULL`
  return { matched }
}

function coverage({ kind, value, before, family, generation }: Revocation): Sql {
  switch (kind) {
    case 'token':
      return family === null || generation === null
        ? sql`id = ${value}`
        : sql`(id = ${value} OR (family = ${family} AND generation >= ${generation}))`
    case 'family':
      return sql`family = ${value}`
    case 'key':
      return sql`key_id = ${value}`
    case 'subject':
      return sql`subject_hash = ${hashOf(value)} AND family_issued_at <= ${before}`
    case 'audience':
      return sql`audience = ${value} AND family_issued_at <= ${before}`
    case 'all':
      return sql`family_issued_at <= ${before}`
  }
}

/** Inserts a key, unless its id or its generation exists. */
export function insertKey(dialect: Dialect, record: KeyRecord): Sql {
  const values = toValues(KEY_COLUMNS, record)
  return dialect.insertUnlessThere(dialect.tables.keys, namesOf(KEY_COLUMNS), values)
}

/** Selects every key. */
export function selectKeys({ tables }: Dialect): Sql {
  return sql`SELECT ${fieldsOf(KEY_COLUMNS)} FROM ${tables.keys} ORDER BY id`
}

/** Compares and sets the wrapping in one row. */
export function rewrapKey(
  { tables }: Dialect,
  id: string,
  expected: string,
  next: { readonly wrapped: string; readonly wrappedBy: string },
): Sql {
  return sql`UPDATE ${tables.keys} SET wrapped = ${next.wrapped}, wrapped_by = ${next.wrappedBy}
    WHERE id = ${id} AND wrapped = ${expected}`
}
