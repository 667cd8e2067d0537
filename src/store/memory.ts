/**
 * The store of one process, and the reference for the other stores.
 *
 * @module
 */
import { closedError } from '../lib/closed-adapter.js'
import type { AuditRow } from './audit.js'
import { hasSameDetails } from './details.js'
import { AuditTable } from './memory/audit.js'
import { arrive, type ChangingTables, changes } from './memory/changes.js'
import { type Coverage, covers, coverTarget, isCovered } from './memory/coverage.js'
import { isLive, matchesFilter, pageOf } from './memory/lists.js'
import { RestrictionTable } from './memory/restrictions.js'
import { memoryUsage } from './memory/usage.js'
import type {
  KeyRecord,
  LiveLimit,
  Matched,
  PurgeBefore,
  Purged,
  Revocation,
  Store,
  Succession,
  TokenDetails,
  TokenFilter,
  TokenListPage,
  TokenRecord,
  Usage,
} from './store.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Row = Writable<TokenRecord>

/** The rows of a store, shared by its methods. Each method is one synchronous step and therefore atomic. */
interface Tables extends ChangingTables {
  readonly tokens: Map<string, Row>
  readonly keys: Map<string, Writable<KeyRecord>>
  readonly revocations: Map<string, Revocation>
  readonly coverage: Coverage
  /** The number of live records that each stored revocation matched, by its id. */
  readonly matched: Map<string, number>
  /** Ids by subject and policy, so counting against a limit does not scan the table. */
  readonly held: Map<string, Set<string>>
  /** Ids by family. */
  readonly families: Map<string, Set<string>>
  readonly restrictions: RestrictionTable
  readonly audit: AuditTable
}

/**
 * A store in memory. The data is lost when the process ends, so use it for a single process, tests and trying out the
 * library.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { memoryStore } from 'watchword/store/memory'
 *
 * const store = memoryStore()
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', store, policies: { job: { ttl: '5m', scopes: [] } } })
 * await watchword.close()
 * ```
 */
export function memoryStore(): Store {
  const tables: Tables = {
    tokens: new Map(),
    keys: new Map(),
    revocations: new Map(),
    coverage: { covered: new Map(), ended: new Map() },
    matched: new Map(),
    arrivals: new Map(),
    arrived: 0,
    held: new Map(),
    families: new Map(),
    restrictions: new RestrictionTable(),
    audit: new AuditTable(),
  }
  let closed = false
  // Async, so it rejects instead of throwing, also after close.
  async function step<T>(work: (tables: Tables) => T): Promise<T> {
    if (closed) throw closedError('the memory store')
    return work(tables)
  }
  return {
    name: 'memory',
    supports: { durable: false },
    open: () => step(() => undefined),
    close: async () => {
      closed = true
    },
    insertTokens: (records, limit, audit) => step((t) => insertTokens(t, records, limit, audit)),
    getToken: (id) => step((t) => copy(t.tokens.get(id))),
    listTokens: (filter, page) => step((t) => listTokens(t, filter, page)),
    countTokens: (filter) => step((t) => matching(t, filter).length),
    updateDetails: (id, expected, next, audit) =>
      step((t) => audited(t, updateDetails(t.tokens.get(id), expected, next), audit)),
    succeed: (id, successor, at, audit) =>
      step((t) => {
        const result = succeed(t, id, successor, at)
        audited(t, result.outcome === 'succeeded', audit)
        return result
      }),
    supersede: (id, at, audit) =>
      step((t) => void audited(t, supersede(t, t.tokens.get(id), at), audit)),
    revoke: (revocation, audit) =>
      step((t) => {
        audited(t, !t.revocations.has(revocation.id), audit)
        return revoke(t, revocation)
      }),
    listRevocations: (page) =>
      step((t) => pageOf(t.revocations.values(), page).map((row) => ({ ...row }))),
    changes: (after, limit) => step((t) => changes(t, after, limit)),
    insertKey: (record, audit) => step((t) => audited(t, insertKey(t, record), audit)),
    listKeys: () => step((t) => [...t.keys.values()].map((row) => ({ ...row }))),
    rewrapKey: (id, expected, next, audit) =>
      step((t) => {
        const row = t.keys.get(id)
        if (row === undefined || row.wrapped !== expected) return false
        Object.assign(row, next)
        return audited(t, true, audit)
      }),
    recordUsage: (usages) => step((t) => recordUsage(t, usages)),
    purge: (before) => step((t) => purge(t, before)),
    usage: memoryUsage((work) => step(() => work())),
    restrictions: tables.restrictions.part(
      (work) => step(work),
      (key, audit) => {
        arrive(tables, key)
        tables.audit.write(audit)
      },
      (key) => tables.arrivals.delete(key),
    ),
    audit: tables.audit.part((work) => step(work)),
  }
}

/** Writes the rows if there was a change. Returns whether there was. */
function audited(t: Tables, isChange: boolean, rows: readonly AuditRow[] | undefined): boolean {
  if (isChange) t.audit.write(rows)
  return isChange
}

function copy(row: Row | undefined): TokenRecord | undefined {
  return row === undefined ? undefined : { ...row }
}

// The length prefix makes the separator unambiguous.
const holder = (record: TokenRecord) => `${record.subject.length}:${record.subject}${record.policy}`

function insertTokens(
  t: Tables,
  records: readonly TokenRecord[],
  limit?: LiveLimit,
  audit?: readonly AuditRow[],
): 'inserted' | 'limit' {
  const fresh = records.filter((record) => !t.tokens.has(record.id))
  const first = fresh[0]
  if (first === undefined) return 'inserted'
  if (limit !== undefined && countLive(t, first, limit.now) + fresh.length > limit.max)
    return 'limit'
  for (const record of fresh) put(t, record)
  t.audit.write(audit)
  return 'inserted'
}

function put(t: Tables, record: TokenRecord): void {
  // Frozen, so the copies of the record may share it.
  t.tokens.set(record.id, { ...record, scopes: Object.freeze([...record.scopes]) })
  enter(t.held, holder(record), record.id)
  enter(t.families, record.family, record.id)
}

function enter(sets: Map<string, Set<string>>, key: string, id: string): void {
  const ids = sets.get(key)
  if (ids === undefined) sets.set(key, new Set([id]))
  else ids.add(id)
}

function leave(sets: Map<string, Set<string>>, key: string, id: string): void {
  const ids = sets.get(key)
  ids?.delete(id)
  if (ids?.size === 0) sets.delete(key)
}

function countLive(t: Tables, like: TokenRecord, now: number): number {
  let live = 0
  for (const id of t.held.get(holder(like)) ?? []) {
    const row = t.tokens.get(id)
    if (row !== undefined && holdsPlace(row, now)) live++
  }
  return live
}

function holdsPlace(row: TokenRecord, now: number): boolean {
  return row.successor === null && row.revokedAt === null && row.expiresAt > now
}

function listTokens(t: Tables, filter: TokenFilter, page: TokenListPage): TokenRecord[] {
  return pageOf(matching(t, filter), page).map((row) => ({ ...row }))
}

function matching(t: Tables, filter: TokenFilter): TokenRecord[] {
  const matches: TokenRecord[] = []
  for (const row of t.tokens.values()) if (matchesFilter(row, filter)) matches.push(row)
  return matches
}

function updateDetails(row: Row | undefined, expected: string, next: TokenDetails): boolean {
  if (row === undefined || row.detailsTag !== expected) return false
  const { label, owner, purpose, detailsTag } = next
  Object.assign(row, { label, owner, purpose, detailsTag })
  return true
}

function succeed(
  t: Tables,
  id: string,
  successor: TokenRecord,
  supersededAt: number | null,
): Succession {
  const predecessor = t.tokens.get(id)
  if (predecessor === undefined) return { outcome: 'missing' }
  // The successor may be sealed with a newer key, which may have been revoked since.
  if (
    predecessor.revokedAt !== null ||
    isCovered(t.coverage, predecessor) ||
    isCovered(t.coverage, {
      ...predecessor,
      keyId: successor.keyId,
      generation: successor.generation,
    })
  )
    return { outcome: 'revoked' }
  if (predecessor.successor !== null) {
    const winner = t.tokens.get(predecessor.successor)
    if (winner === undefined) return { outcome: 'missing' }
    return { outcome: 'already', predecessor: { ...predecessor }, successor: { ...winner } }
  }
  if (!hasSameDetails(predecessor, successor))
    return { outcome: 'changed', predecessor: { ...predecessor } }
  predecessor.successor = successor.id
  arrive(t, predecessor.id)
  if (supersededAt !== null) supersede(t, predecessor, supersededAt)
  if (predecessor.predecessor !== null)
    supersede(t, t.tokens.get(predecessor.predecessor), successor.issuedAt)
  put(t, successor)
  return { outcome: 'succeeded' }
}

function supersede(t: Tables, row: Row | undefined, at: number): boolean {
  if (row === undefined || (row.supersededAt !== null && at >= row.supersededAt)) return false
  row.supersededAt = at
  arrive(t, row.id)
  return true
}

function revoke(t: Tables, revocation: Revocation): Matched {
  if (t.revocations.has(revocation.id)) return { matched: t.matched.get(revocation.id) ?? 0 }
  t.revocations.set(revocation.id, { ...revocation })
  arrive(t, revocation.id)
  coverTarget(t.coverage, revocation)
  let matched = 0
  for (const row of candidates(t, revocation)) {
    if (row.revokedAt !== null || !covers(revocation, row)) continue
    if (isLive(row, revocation.at)) matched++
    row.revokedAt = revocation.at
    row.revokedBy = revocation.actor
    row.revokedReason = revocation.reason
  }
  const key = revocation.kind === 'key' ? t.keys.get(revocation.value) : undefined
  if (key !== undefined && key.revokedAt === null) key.revokedAt = revocation.at
  t.matched.set(revocation.id, matched)
  return { matched }
}

// One token or family is the common case and must not scan the table.
function candidates(t: Tables, { kind, value, family }: Revocation): Iterable<Row> {
  if (kind !== 'token' && kind !== 'family') return t.tokens.values()
  const ids = new Set(t.families.get(kind === 'family' ? value : (family ?? '')))
  if (kind === 'token') ids.add(value)
  return [...ids].flatMap((id) => t.tokens.get(id) ?? [])
}

function insertKey(t: Tables, record: KeyRecord): boolean {
  for (const row of t.keys.values()) {
    if (row.id === record.id) return false
    if (row.audience === record.audience && row.generation === record.generation) return false
  }
  t.keys.set(record.id, { ...record })
  return true
}

function recordUsage(t: Tables, usages: readonly Usage[]): void {
  for (const { id, at } of usages) {
    const row = t.tokens.get(id)
    if (row !== undefined && (row.lastUsedAt === null || at > row.lastUsedAt)) row.lastUsedAt = at
  }
}

function purge(t: Tables, before: PurgeBefore): Purged {
  const purged = { tokens: 0, keys: 0, revocations: 0 }
  for (const row of t.tokens.values()) {
    if (row.expiresAt > before.tokens) continue
    t.tokens.delete(row.id)
    t.arrivals.delete(row.id)
    leave(t.held, holder(row), row.id)
    leave(t.families, row.family, row.id)
    purged.tokens++
  }
  for (const row of t.keys.values())
    if (row.expiresAt <= before.keys && t.keys.delete(row.id)) purged.keys++
  for (const { id, expiresAt } of t.revocations.values()) {
    if (expiresAt > before.revocations || !t.revocations.delete(id)) continue
    t.arrivals.delete(id)
    t.matched.delete(id)
    purged.revocations++
  }
  t.coverage.covered.clear()
  t.coverage.ended.clear()
  for (const row of t.revocations.values()) coverTarget(t.coverage, row)
  return purged
}
