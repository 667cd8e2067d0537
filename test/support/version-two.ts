/**
 * Frozen: how a process with version 2 of the schema reads and writes tokens. Never adapt it to newer columns.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { TokenRecord } from '../../src/store/store.js'

/** The columns that such a process knows, and their fields. */
const COLUMNS = {
  id: 'id',
  family: 'family',
  generation: 'generation',
  predecessor: 'predecessor',
  successor: 'successor',
  subject: 'subject',
  audience: 'audience',
  policy: 'policy',
  policy_version: 'policyVersion',
  key_id: 'keyId',
  issued_at: 'issuedAt',
  not_before: 'notBefore',
  expires_at: 'expiresAt',
  family_issued_at: 'familyIssuedAt',
  family_expires_at: 'familyExpiresAt',
  issued_by: 'issuedBy',
  superseded_at: 'supersededAt',
  revoked_at: 'revokedAt',
  revoked_by: 'revokedBy',
  revoked_reason: 'revokedReason',
  last_used_at: 'lastUsedAt',
  ttl: 'ttl',
  tag: 'tag',
} as const satisfies Readonly<Record<string, keyof TokenRecord>>

/** The fields of a record that such a process knows. */
export type OldRecord = Omit<TokenRecord, 'label' | 'owner' | 'purpose' | 'hint' | 'detailsTag'>

/** The record as such a process knows it. */
export function oldRecordOf(record: TokenRecord): OldRecord {
  const { label: _, owner: __, purpose: ___, hint: ____, detailsTag: _____, ...old } = record
  return old
}

const literal = (value: unknown) =>
  value === null || typeof value === 'number'
    ? String(value)
    : `'${String(value).replaceAll("'", "''")}'`

const hashOf = (text: string) =>
  createHash('sha256').update(text).digest().subarray(0, 24).toString('base64url')

/** The statement that inserts a token. */
export function insertOf(record: OldRecord): string {
  const entries = Object.entries(COLUMNS).map(([name, field]) => [name, literal(record[field])])
  entries.push(['subject_hash', literal(hashOf(record.subject))])
  entries.push(['scopes', literal(JSON.stringify(record.scopes))])
  entries.push(['rotatable', String(Number(record.rotatable))])
  const names = entries.map(([name]) => name).join(', ')
  const values = entries.map(([, value]) => value).join(', ')
  return `INSERT INTO watchword_tokens (${names}) VALUES (${values})`
}

/** The statements that rotate a token, of one transaction. */
export function rotationOf(id: string, successor: OldRecord, supersededAt: number): string[] {
  return [
    'UPDATE watchword_arrivals SET n = n + 1 WHERE id = 3',
    `UPDATE watchword_tokens SET successor = ${literal(successor.id)}, superseded_at = ${supersededAt}, changed = (SELECT n FROM watchword_arrivals WHERE id = 3) WHERE id = ${literal(id)}`,
    insertOf(successor),
  ]
}

/** The statement that revokes the tokens of a family. */
export function revocationOf(family: string, at: number): string {
  return `UPDATE watchword_tokens SET revoked_at = ${at}, revoked_by = 'old', revoked_reason = NULL WHERE family = ${literal(family)} AND revoked_at IS NULL`
}
