/**
 * The coverage of revocations in an in-memory store.
 *
 * @module
 */
import type { Revocation, RevocationKind, TokenRecord } from '../store.js'

/** An index of the coverage, so a rotation needs a few lookups instead of one per revocation. */
export interface Coverage {
  /** The time of issue up to which a target is revoked, by kind and value. */
  readonly covered: Map<string, number>
  /** The generation from which a family is revoked because an earlier token of it was. */
  readonly ended: Map<string, number>
}

// Kinds that do not depend on the time of issue: their targets never become valid again.
const ABSOLUTE: ReadonlySet<RevocationKind> = new Set(['token', 'family', 'key'])

const targetKey = (kind: RevocationKind, value: string) => `${kind}:${value}`

/** Whether a stored revocation covers the record. */
export function isCovered(t: Coverage, record: TokenRecord): boolean {
  const deadUpTo = (kind: RevocationKind, value: string) =>
    t.covered.get(targetKey(kind, value)) ?? -1
  return (
    deadUpTo('token', record.id) >= 0 ||
    deadUpTo('family', record.family) >= 0 ||
    (t.ended.get(record.family) ?? Number.POSITIVE_INFINITY) <= record.generation ||
    deadUpTo('key', record.keyId) >= 0 ||
    deadUpTo('subject', record.subject) >= record.familyIssuedAt ||
    deadUpTo('audience', record.audience) >= record.familyIssuedAt ||
    deadUpTo('all', '') >= record.familyIssuedAt
  )
}

/** Whether this revocation covers the record, regardless of other revocations. */
export function covers(revocation: Revocation, record: TokenRecord): boolean {
  const { kind, value, before, family, generation } = revocation
  switch (kind) {
    case 'token':
      return (
        record.id === value ||
        (family !== null &&
          generation !== null &&
          record.family === family &&
          record.generation >= generation)
      )
    case 'family':
      return record.family === value
    case 'key':
      return record.keyId === value
    case 'subject':
      return record.subject === value && record.familyIssuedAt <= before
    case 'audience':
      return record.audience === value && record.familyIssuedAt <= before
    case 'all':
      return record.familyIssuedAt <= before
  }
}

/** Adds a stored revocation to the index. */
export function coverTarget(t: Coverage, revocation: Revocation): void {
  const { kind, value, before, family, generation } = revocation
  if (family !== null && generation !== null)
    t.ended.set(family, Math.min(generation, t.ended.get(family) ?? generation))
  const key = targetKey(kind, value)
  const upTo = ABSOLUTE.has(kind) ? Number.POSITIVE_INFINITY : before
  t.covered.set(key, Math.max(upTo, t.covered.get(key) ?? 0))
}
