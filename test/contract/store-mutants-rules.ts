/**
 * The rules of a correct store, one by one, for a mutant to break.
 *
 * @module
 */

import { AuditTable } from '../../src/store/memory/audit.js'
import type { RestrictionRecord } from '../../src/store/restrictions.js'
import type { KeyRecord, Revocation, TokenRecord } from '../../src/store/store.js'
import type { UsageTables } from './store-mutants-usage-base.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
export type Row = Writable<TokenRecord>
export type KeyRow = Writable<KeyRecord>

/** The data, which several instances may share. */
export interface Tables {
  readonly tokens: Map<string, Row>
  readonly keys: Map<string, KeyRow>
  readonly revocations: Map<string, Revocation>
  /** How many valid records each revocation matched, by its id. */
  readonly matched: Map<string, number>
  /** Ids of what changed, in the order of the commits. */
  readonly arrivals: string[]
  /** The registers of restrictions, by kind and value. */
  readonly registers: Map<string, RestrictionRecord>
  readonly usage: UsageTables
  readonly audit: AuditTable
}

/** Where a mutant may lose its atomicity. */
export type Gap =
  | 'insert'
  | 'limit'
  | 'succeed'
  | 'revoke'
  | 'mark'
  | 'key'
  | 'rewrap'
  | 'row'
  | 'details'

/** Each is one sentence of the contract, for a mutant to break. */
export interface Rules {
  /** Conversion of a row on writes and on reads. */
  take<T>(row: T): T
  give<T>(row: T): T
  /** The result of a look-up by id. */
  id(id: string): string
  /** Text as it is compared. */
  text(text: string): string
  compare(a: string, b: string): number
  isAfter(id: string, after: string): boolean
  isLive(row: TokenRecord, at: number): boolean
  isEnding(row: TokenRecord, at: number): boolean
  expiresBefore(row: TokenRecord, at: number): boolean
  isUnused(row: TokenRecord, before: number): boolean
  /** Whether a successor has the details of its predecessor. */
  inherits(predecessor: TokenRecord, successor: TokenRecord): boolean
  /** Whether an update expects the tag of the row. */
  expects(row: TokenRecord, expected: string): boolean
  counts(row: TokenRecord, like: TokenRecord, now: number): boolean
  isFull(live: number, fresh: number, max: number): boolean
  /** Whether a revocation marks the row. */
  covers(revocation: Revocation, row: TokenRecord): boolean
  /** Whether an existing revocation forbids the succession. */
  bars(revocation: Revocation, predecessor: TokenRecord, successor: TokenRecord): boolean
  isMarked(row: { readonly revokedAt: number | null }): boolean
  earlier(is: number | null, at: number): number
  later(is: number | null, at: number): number
  isPast(expiresAt: number, upTo: number): boolean
  /** Records the change, when it is committed. */
  arrive(arrivals: string[], id: string): void
  /** A pause between a check and its write. A correct store has none. */
  gap(where: Gap): Promise<void> | undefined
}

export const GOOD: Rules = {
  take: (row) => structuredClone(row),
  give: (row) => structuredClone(row),
  id: (id) => id,
  text: (text) => text,
  compare: (a, b) => (a < b ? -1 : 1),
  isAfter: (id, after) => id > after,
  isLive: ({ revokedAt, expiresAt, supersededAt }, at) =>
    revokedAt === null && expiresAt > at && (supersededAt === null || supersededAt > at),
  isEnding: ({ supersededAt, expiresAt }, at) => supersededAt !== null && expiresAt > at,
  expiresBefore: ({ expiresAt }, at) => expiresAt < at,
  isUnused: ({ issuedAt, lastUsedAt }, before) =>
    issuedAt < before && (lastUsedAt ?? issuedAt) < before,
  inherits: (a, b) =>
    a.label === b.label && a.owner === b.owner && a.purpose === b.purpose && a.hint === b.hint,
  expects: ({ detailsTag }, expected) => detailsTag === expected,
  counts: (row, like, now) =>
    row.subject === like.subject &&
    row.policy === like.policy &&
    row.revokedAt === null &&
    row.successor === null &&
    row.expiresAt > now,
  isFull: (live, fresh, max) => live + fresh > max,
  covers({ kind, value, before, family, generation }, row) {
    if (kind === 'token')
      return row.id === value || (row.family === family && row.generation >= (generation ?? 0))
    if (kind === 'family') return row.family === value
    if (kind === 'key') return row.keyId === value
    const isOld = row.familyIssuedAt <= before
    return isOld && (kind === 'all' || row[kind] === value)
  },
  bars: (revocation, predecessor, successor) =>
    GOOD.covers(revocation, predecessor) ||
    GOOD.covers(revocation, {
      ...predecessor,
      keyId: successor.keyId,
      generation: successor.generation,
    }),
  isMarked: ({ revokedAt }) => revokedAt !== null,
  earlier: (is, at) => Math.min(is ?? at, at),
  later: (is, at) => Math.max(is ?? at, at),
  isPast: (expiresAt, upTo) => expiresAt <= upTo,
  arrive: (arrivals, id) => arrivals.push(id),
  gap: () => undefined,
}

export function emptyTables(): Tables {
  return {
    tokens: new Map(),
    keys: new Map(),
    revocations: new Map(),
    matched: new Map(),
    arrivals: [],
    registers: new Map(),
    usage: { entries: [], lives: new Map(), closedUntil: 0 },
    audit: new AuditTable(),
  }
}
