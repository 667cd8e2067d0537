/**
 * The store of one process: the reference for every other one.
 *
 * @module
 */
import type {
  KeyRecord,
  LiveLimit,
  Page,
  PurgeBefore,
  Purged,
  Revocation,
  RevocationKind,
  Store,
  Succession,
  TokenFilter,
  TokenRecord,
  Usage,
} from './store.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Row = Writable<TokenRecord>

/** The rows of a store, shared by every method; each method is one synchronous step, and so atomic. */
interface Tables {
  readonly tokens: Map<string, Row>
  readonly keys: Map<string, Writable<KeyRecord>>
  readonly revocations: Map<string, Revocation>
  /** Up to which time of issue a target is dead, by kind and value, so that a rotation asks five times and not once a row. */
  readonly covered: Map<string, number>
  /** Ids by subject and policy, so that a limit is not counted over the whole table. */
  readonly held: Map<string, Set<string>>
}

/**
 * A store in memory. Everything is gone with the process, so it suits one process, tests and a first try.
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
    covered: new Map(),
    held: new Map(),
  }
  let closed = false
  // Every method is a promise that rejects, never one that throws, and none answers after close.
  async function step<T>(work: (tables: Tables) => T): Promise<T> {
    if (closed) throw new Error('the memory store is closed')
    return work(tables)
  }
  return {
    name: 'memory',
    supports: { durable: false },
    open: () => step(() => undefined),
    close: async () => {
      closed = true
    },
    insertTokens: (records, limit) => step((t) => insertTokens(t, records, limit)),
    getToken: (id) => step((t) => copy(t.tokens.get(id))),
    listTokens: (filter, page) => step((t) => listTokens(t, filter, page)),
    succeed: (id, successor, at) => step((t) => succeed(t, id, successor, at)),
    supersede: (id, at) => step((t) => supersede(t.tokens.get(id), at)),
    revoke: (revocation) => step((t) => revoke(t, revocation)),
    listRevocations: (page) =>
      step((t) => pageOf(t.revocations.values(), page).map((row) => ({ ...row }))),
    insertKey: (record) => step((t) => insertKey(t, record)),
    listKeys: () => step((t) => [...t.keys.values()].map((row) => ({ ...row }))),
    rewrapKey: (id, expected, next) =>
      step((t) => {
        const row = t.keys.get(id)
        if (row === undefined || row.wrapped !== expected) return false
        Object.assign(row, next)
        return true
      }),
    recordUsage: (usages) => step((t) => recordUsage(t, usages)),
    purge: (before) => step((t) => purge(t, before)),
  }
}

function copy(row: Row | undefined): TokenRecord | undefined {
  return row === undefined ? undefined : { ...row }
}

// A separator that the text cannot fake: the length of the first part comes first.
const holder = (record: TokenRecord) => `${record.subject.length}:${record.subject}${record.policy}`

function insertTokens(
  t: Tables,
  records: readonly TokenRecord[],
  limit?: LiveLimit,
): 'inserted' | 'limit' {
  const fresh = records.filter((record) => !t.tokens.has(record.id))
  const first = fresh[0]
  if (first === undefined) return 'inserted'
  if (limit !== undefined && countLive(t, first, limit.now) + fresh.length > limit.max)
    return 'limit'
  for (const record of fresh) put(t, record)
  return 'inserted'
}

function put(t: Tables, record: TokenRecord): void {
  // Frozen, so that the copies of the record may share it.
  t.tokens.set(record.id, { ...record, scopes: Object.freeze([...record.scopes]) })
  const key = holder(record)
  const ids = t.held.get(key)
  if (ids === undefined) t.held.set(key, new Set([record.id]))
  else ids.add(record.id)
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

function isLive(row: TokenRecord, at: number): boolean {
  return (
    row.revokedAt === null &&
    row.expiresAt > at &&
    (row.supersededAt === null || row.supersededAt > at)
  )
}

function listTokens(t: Tables, filter: TokenFilter, page: Page): TokenRecord[] {
  const matches: TokenRecord[] = []
  for (const row of t.tokens.values()) if (matchesFilter(row, filter)) matches.push(row)
  return pageOf(matches, page).map((row) => ({ ...row }))
}

function matchesFilter(row: TokenRecord, filter: TokenFilter): boolean {
  return (
    (filter.subject === undefined || row.subject === filter.subject) &&
    (filter.family === undefined || row.family === filter.family) &&
    (filter.policy === undefined || row.policy === filter.policy) &&
    (filter.audience === undefined || row.audience === filter.audience) &&
    (filter.keyId === undefined || row.keyId === filter.keyId) &&
    (filter.liveAt === undefined || isLive(row, filter.liveAt)) &&
    (filter.supersededAliveAt === undefined ||
      (row.supersededAt !== null && row.expiresAt > filter.supersededAliveAt))
  )
}

function pageOf<T extends { readonly id: string }>(rows: Iterable<T>, page: Page): T[] {
  const after = page.after
  const rest = after === undefined ? [...rows] : [...rows].filter((row) => row.id > after)
  // Code units, not the locale's order: ULIDs sort by time in ASCII order only.
  return rest.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, page.limit)
}

function succeed(
  t: Tables,
  id: string,
  successor: TokenRecord,
  supersededAt: number | null,
): Succession {
  const predecessor = t.tokens.get(id)
  if (predecessor === undefined) return { outcome: 'missing' }
  // The successor may be of a newer key, which may have been revoked since it was sealed.
  if (
    predecessor.revokedAt !== null ||
    isCovered(t, predecessor) ||
    isCovered(t, { ...predecessor, keyId: successor.keyId })
  )
    return { outcome: 'revoked' }
  if (predecessor.successor !== null) {
    const winner = t.tokens.get(predecessor.successor)
    if (winner === undefined) return { outcome: 'missing' }
    return { outcome: 'already', predecessor: { ...predecessor }, successor: { ...winner } }
  }
  predecessor.successor = successor.id
  if (supersededAt !== null) supersede(predecessor, supersededAt)
  if (predecessor.predecessor !== null)
    supersede(t.tokens.get(predecessor.predecessor), successor.issuedAt)
  put(t, successor)
  return { outcome: 'succeeded' }
}

function supersede(row: Row | undefined, at: number): void {
  if (row !== undefined && (row.supersededAt === null || at < row.supersededAt))
    row.supersededAt = at
}

// The kinds that kill whatever the time of issue: what they name never comes back to life.
const ABSOLUTE: ReadonlySet<RevocationKind> = new Set(['token', 'family', 'key'])

const targetKey = (kind: RevocationKind, value: string) => `${kind}:${value}`

function isCovered(t: Tables, record: TokenRecord): boolean {
  const deadUpTo = (kind: RevocationKind, value: string) =>
    t.covered.get(targetKey(kind, value)) ?? -1
  return (
    deadUpTo('token', record.id) >= 0 ||
    deadUpTo('family', record.family) >= 0 ||
    deadUpTo('key', record.keyId) >= 0 ||
    deadUpTo('subject', record.subject) >= record.familyIssuedAt ||
    deadUpTo('audience', record.audience) >= record.familyIssuedAt ||
    deadUpTo('all', '') >= record.familyIssuedAt
  )
}

/** Whether this very revocation covers the record; what another one covers is the other's to mark. */
function covers({ kind, value, before }: Revocation, record: TokenRecord): boolean {
  switch (kind) {
    case 'token':
      return record.id === value
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

function coverTarget(t: Tables, { kind, value, before }: Revocation): void {
  const key = targetKey(kind, value)
  const upTo = ABSOLUTE.has(kind) ? Number.POSITIVE_INFINITY : before
  t.covered.set(key, Math.max(upTo, t.covered.get(key) ?? 0))
}

function revoke(t: Tables, revocation: Revocation): void {
  if (t.revocations.has(revocation.id)) return
  t.revocations.set(revocation.id, { ...revocation })
  coverTarget(t, revocation)
  for (const row of candidates(t, revocation)) {
    if (row.revokedAt !== null || !covers(revocation, row)) continue
    row.revokedAt = revocation.at
    row.revokedBy = revocation.actor
    row.revokedReason = revocation.reason
  }
  const key = revocation.kind === 'key' ? t.keys.get(revocation.value) : undefined
  if (key !== undefined && key.revokedAt === null) key.revokedAt = revocation.at
}

// One token is the common case and must not walk the table.
function candidates(t: Tables, revocation: Revocation): Iterable<Row> {
  if (revocation.kind !== 'token') return t.tokens.values()
  const row = t.tokens.get(revocation.value)
  return row === undefined ? [] : [row]
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
    const ids = t.held.get(holder(row))
    ids?.delete(row.id)
    if (ids?.size === 0) t.held.delete(holder(row))
    purged.tokens++
  }
  for (const row of t.keys.values())
    if (row.expiresAt <= before.keys && t.keys.delete(row.id)) purged.keys++
  for (const row of t.revocations.values()) {
    if (row.expiresAt <= before.revocations && t.revocations.delete(row.id)) purged.revocations++
  }
  t.covered.clear()
  for (const row of t.revocations.values()) coverTarget(t, row)
  return purged
}
