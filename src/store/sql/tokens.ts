/**
 * The operations on tokens, shared by every database.
 *
 * @module
 */

import { joined, raw, type Sql, type Steps, sql } from '../../clients/sql/statement.js'
import type { AuditRow } from '../audit.js'
import { hasSameDetails } from '../details.js'
import type {
  LiveLimit,
  Succession,
  TokenDetails,
  TokenFilter,
  TokenListPage,
  TokenRecord,
  Usage,
} from '../store.js'
import { takenNumber } from './arrivals.js'
import { writeAudit } from './audit.js'
import {
  type Column,
  fieldsOf,
  hashOf,
  isStorable,
  namesOf,
  TOKEN_COLUMNS,
  toRecord,
  toValues,
} from './columns.js'
import type { Dialect } from './dialect.js'

const FIELDS = fieldsOf(TOKEN_COLUMNS)

/** Selects the row of this id. */
export function selectToken({ tables }: Dialect, id: string): Sql {
  return sql`SELECT ${FIELDS} FROM ${tables.tokens} WHERE id = ${id}`
}

/** Counts and inserts, all or none. Must run under the lock of the holder. */
export function* insertLimited(
  dialect: Dialect,
  records: readonly TokenRecord[],
  { max, now }: LiveLimit,
  audit?: readonly AuditRow[],
): Steps<'inserted' | 'limit'> {
  const { tokens } = dialect.tables
  const { subject, policy } = records[0] as TokenRecord
  const ids = records.map(({ id }) => id)
  const count = sql`SELECT
    (SELECT COUNT(*) FROM ${tokens} WHERE ${dialect.among(raw('id'), ids)}) AS present,
    (SELECT COUNT(*) FROM ${tokens} WHERE subject_hash = ${hashOf(subject)}
      AND policy = ${policy} AND expires_at > ${now}
      AND revoked_at IS NULL AND successor IS NULL) AS live`
  const { rows } = yield count
  const fresh = records.length - Number(rows[0]?.['present'])
  // A retry of an insert succeeds, even if other rows were inserted since.
  if (fresh === 0) return 'inserted'
  if (Number(rows[0]?.['live']) + fresh > max) return 'limit'
  yield* insertTokens(dialect, records)
  yield* writeAudit(dialect, audit)
  return 'inserted'
}

/** Inserts records whose ids do not exist, and the rows of the audit if there are any such records. */
export function* insertAudited(
  dialect: Dialect,
  records: readonly TokenRecord[],
  audit: readonly AuditRow[],
): Steps<void> {
  const ids = records.map(({ id }) => id)
  const { rows } = yield sql`SELECT COUNT(*) AS present FROM ${dialect.tables.tokens}
    WHERE ${dialect.among(raw('id'), ids)}`
  if (Number(rows[0]?.['present']) === ids.length) return
  yield* insertTokens(dialect, records)
  yield* writeAudit(dialect, audit)
}

/** Inserts records whose ids do not exist. */
export function* insertTokens(dialect: Dialect, records: readonly TokenRecord[]): Steps<void> {
  for (const statement of dialect.insertTokens(records)) yield statement
}

/** One page of a list, or `undefined` if no stored row can match. */
export function listTokens(
  dialect: Dialect,
  filter: TokenFilter,
  page: TokenListPage,
): Sql | undefined {
  const conditions = conditionsOf(filter)
  if (conditions === undefined) return undefined
  return pageOf(dialect, { table: dialect.tables.tokens, columns: TOKEN_COLUMNS, conditions, page })
}

/** Counts the rows of a list, as `found`, or `undefined` if no stored row can match. */
export function countTokens({ tables }: Dialect, filter: TokenFilter): Sql | undefined {
  const conditions = conditionsOf(filter)
  if (conditions === undefined) return undefined
  return sql`SELECT COUNT(*) AS found FROM ${tables.tokens}${whereOf(conditions)}`
}

/** The conditions of a filter, or `undefined` if no stored row can match. */
function conditionsOf(filter: TokenFilter): Sql[] | undefined {
  const { subject, family, policy, audience, keyId, owner, issuedBy } = filter
  const { revoked, expiresBefore, unusedBefore, liveAt, supersededAliveAt } = filter
  const texts = [subject, family, policy, audience, keyId, owner, issuedBy]
  if (!texts.every((text) => text === undefined || isStorable(text))) return undefined
  const conditions: Sql[] = []
  if (subject !== undefined) conditions.push(sql`subject_hash = ${hashOf(subject)}`)
  if (family !== undefined) conditions.push(sql`family = ${family}`)
  if (policy !== undefined) conditions.push(sql`policy = ${policy}`)
  if (audience !== undefined) conditions.push(sql`audience = ${audience}`)
  if (keyId !== undefined) conditions.push(sql`key_id = ${keyId}`)
  if (owner !== undefined) conditions.push(sql`owner = ${owner}`)
  if (issuedBy !== undefined) conditions.push(sql`issued_by = ${issuedBy}`)
  if (revoked !== undefined)
    conditions.push(raw(revoked ? 'revoked_at IS NOT NULL' : 'revoked_at IS NULL'))
  if (expiresBefore !== undefined) conditions.push(sql`expires_at < ${expiresBefore}`)
  if (unusedBefore !== undefined)
    conditions.push(
      sql`issued_at < ${unusedBefore} AND (last_used_at IS NULL OR last_used_at < ${unusedBefore})`,
    )
  if (liveAt !== undefined)
    conditions.push(
      sql`revoked_at IS NULL AND expires_at > ${liveAt} AND (superseded_at IS NULL OR superseded_at > ${liveAt})`,
    )
  if (supersededAliveAt !== undefined)
    conditions.push(sql`superseded_at IS NOT NULL AND expires_at > ${supersededAliveAt}`)
  return conditions
}

/** Replaces the details of a row that still has the tag. */
export function updateDetails(
  { tables }: Dialect,
  id: string,
  expected: string,
  { label, owner, purpose, detailsTag }: TokenDetails,
): Sql {
  return sql`UPDATE ${tables.tokens} SET label = ${label}, owner = ${owner}, purpose = ${purpose},
      details_tag = ${detailsTag}
    WHERE id = ${id} AND COALESCE(details_tag, '') = ${expected}`
}

interface Listing<T> {
  readonly table: Sql
  readonly columns: readonly Column<T>[]
  readonly conditions: readonly Sql[]
  readonly page: TokenListPage
}

/** A page by keyset: its cost does not grow with its position. */
export function pageOf<T>(
  dialect: Dialect,
  { table, columns, conditions, page: { after, limit, order } }: Listing<T>,
): Sql {
  const isNewest = order === 'newest'
  const all =
    after === undefined
      ? conditions
      : [...conditions, isNewest ? before(after) : sql`id > ${bound(after)}`]
  const end = sql`ORDER BY id${raw(isNewest ? ' DESC' : '')} ${dialect.limit(limit)}`
  return sql`SELECT ${fieldsOf(columns)} FROM ${table}${whereOf(all)} ${end}`
}

function whereOf(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? raw('') : sql` WHERE ${joined(conditions, ' AND ')}`
}

function before(after: string): Sql {
  // The text before U+0000 is less than the whole.
  return sql`id ${raw(after.includes('\0') ? '<=' : '<')} ${bound(after)}`
}

// No id contains U+0000, so comparing with the text before it gives the same result.
function bound(after: string): string {
  return (after.split('\0', 1)[0] ?? '').toWellFormed()
}

/** A rotation: the predecessor, its successor, when the predecessor ends, and the stripe of its number. */
interface Rotation {
  readonly id: string
  readonly successor: TokenRecord
  readonly at: number | null
  readonly stripe: number
  readonly audit: readonly AuditRow[] | undefined
}

/**
 * Links a predecessor to its successor. Must run under the shared lock for creating tokens and the lock of the stripe.
 */
export function* succeed(dialect: Dialect, rotation: Rotation): Steps<Succession> {
  const [row] = (yield predecessorOf(dialect, rotation)).rows
  if (row === undefined) return { outcome: 'missing' }
  const predecessor = toRecord(TOKEN_COLUMNS, row)
  if (predecessor.revokedAt !== null || Number(row['covered']) !== 0) return { outcome: 'revoked' }
  if (predecessor.successor !== null) {
    const [winner] = (yield selectToken(dialect, predecessor.successor)).rows
    if (winner === undefined) return { outcome: 'missing' }
    return { outcome: 'already', predecessor, successor: toRecord(TOKEN_COLUMNS, winner) }
  }
  if (!hasSameDetails(predecessor, rotation.successor)) return { outcome: 'changed', predecessor }
  for (const statement of dialect.together(link(dialect, predecessor, rotation))) yield statement
  yield* writeAudit(dialect, rotation.audit)
  return { outcome: 'succeeded' }
}

/** Locks the predecessor until the end of the transaction, so the decision stays valid. */
function predecessorOf({ tables, forUpdate }: Dialect, { id, successor }: Rotation): Sql {
  const { tokens, revocations } = tables
  const { keyId: newKeyId, generation } = successor
  const kept = (condition: Sql) => sql`EXISTS (SELECT 1 FROM ${revocations} r WHERE ${condition})`
  // The successor may be sealed with a newer key, which may have been revoked since.
  const covering = [
    kept(sql`r.kind = 'token' AND r.target = t.id AND r.value = t.id`),
    // An earlier token of the family was revoked, and its successors with it.
    kept(sql`r.family = t.family AND r.generation <= ${generation}`),
    kept(sql`r.kind = 'family' AND r.target = t.family AND r.value = t.family`),
    kept(sql`r.kind = 'key' AND r.target = t.key_id AND r.value = t.key_id`),
    kept(sql`r.kind = 'key' AND r.target = ${newKeyId} AND r.value = ${newKeyId}`),
    kept(
      sql`r.kind = 'subject' AND r.target = t.subject_hash AND r.before_at >= t.family_issued_at AND r.value = t.subject`,
    ),
    kept(
      sql`r.kind = 'audience' AND r.target = t.audience AND r.before_at >= t.family_issued_at AND r.value = t.audience`,
    ),
    kept(sql`r.kind = 'all' AND r.target = '' AND r.before_at >= t.family_issued_at`),
  ]
  return sql`SELECT ${FIELDS}, CASE WHEN ${joined(covering, ' OR ')} THEN 1 ELSE 0 END AS covered
    FROM ${tokens} t WHERE id = ${id}${forUpdate}`
}

function link(
  dialect: Dialect,
  { id, predecessor, supersededAt: is }: TokenRecord,
  { successor, at, stripe }: Rotation,
): Sql[] {
  const { tokens } = dialect.tables
  const changed = takenNumber(dialect, stripe)
  const end = at === null || (is !== null && is <= at) ? is : at
  const statements = [
    sql`UPDATE ${tokens} SET successor = ${successor.id}, superseded_at = ${end}, changed = ${changed}
      WHERE id = ${id}`,
    sql`INSERT INTO ${tokens} (${namesOf(TOKEN_COLUMNS)}) VALUES (${joined(
      toValues(TOKEN_COLUMNS, successor).map((value) => sql`${value}`),
      ', ',
    )})`,
  ]
  // Only the immediate predecessor has grace.
  if (predecessor !== null)
    statements.unshift(supersede(dialect, { id: predecessor, at: successor.issuedAt, stripe }))
  return statements
}

/** Moves a token's `supersededAt` earlier, never later. Must run under the lock of the stripe. */
export function supersede(
  dialect: Dialect,
  { id, at, stripe }: { readonly id: string; readonly at: number; readonly stripe: number },
): Sql {
  const { tokens } = dialect.tables
  return sql`UPDATE ${tokens} SET superseded_at = ${at}, changed = ${takenNumber(dialect, stripe)}
    WHERE id = ${id} AND (superseded_at IS NULL OR superseded_at > ${at})`
}

/** The latest report for each possible id, in the order in which every writer locks rows. */
export function latestOf(usages: readonly Usage[]): Usage[] {
  const latest = new Map<string, number>()
  for (const { id, at } of usages)
    if (isStorable(id)) latest.set(id, Math.max(at, latest.get(id) ?? at))
  // A rotation locks a token and then its predecessor, which has the smaller id, so all writers lock in descending
  // order.
  return [...latest].map(([id, at]) => ({ id, at })).sort((a, b) => (a.id < b.id ? 1 : -1))
}
