/**
 * A second, plain store whose every rule can be replaced, to test the contract kit itself.
 *
 * @module
 */
import type {
  Changes,
  KeyRecord,
  LiveLimit,
  Matched,
  Revocation,
  Store,
  Succession,
  TokenDetails,
  TokenFilter,
  TokenListPage,
  TokenRecord,
  Usage,
} from '../../src/store/store.js'
import { GOOD, type Rules, type Tables } from './store-mutants-rules.js'

/** A store over the tables that obeys the given rules: correct rules make a correct store. */
export function plainStore(tables: Tables, changed: Partial<Rules> = {}): Store {
  const rules = { ...GOOD, ...changed }
  const t = { tables, rules }
  let closed = false
  async function step<T>(work: () => T | Promise<T>): Promise<T> {
    if (closed) throw new Error('the store is closed')
    return await work()
  }
  return {
    name: 'plain',
    supports: { durable: false },
    open: () => step(() => undefined),
    async close() {
      closed = true
    },
    insertTokens: (records, limit) => step(() => insertTokens(t, records, limit)),
    getToken: (id) => step(() => rules.give(tables.tokens.get(rules.id(id)))),
    listTokens: (filter, page) =>
      step(() => pageOf(t, tables.tokens.values(), page, (row) => matches(rules, row, filter))),
    countTokens: (filter) =>
      step(() => [...tables.tokens.values()].filter((row) => matches(rules, row, filter)).length),
    updateDetails: (id, expected, next) => step(() => updateDetails(t, id, expected, next)),
    succeed: (id, successor, at) => step(() => succeed(t, id, successor, at)),
    supersede: (id, at) => step(() => supersede(t, id, at)),
    revoke: (revocation) => step(() => revoke(t, revocation)),
    changes: (after, limit) => step(() => changes(t, after, limit)),
    listRevocations: (page) => step(() => pageOf(t, tables.revocations.values(), page, () => true)),
    insertKey: (record) => step(() => insertKey(t, record)),
    listKeys: () => step(() => [...tables.keys.values()].map((row) => rules.give(row))),
    rewrapKey: (id, expected, next) =>
      step(async () => {
        const row = tables.keys.get(rules.id(id))
        if (row === undefined || row.wrapped !== expected) return false
        const gap = rules.gap('rewrap')
        if (gap !== undefined) await gap
        Object.assign(row, next)
        return true
      }),
    recordUsage: (usages) => step(() => recordUsage(t, usages)),
    purge: (before) =>
      step(() => ({
        tokens: removePast(rules, tables.tokens, before.tokens),
        keys: removePast(rules, tables.keys, before.keys),
        revocations: removePast(rules, tables.revocations, before.revocations),
      })),
  }
}

interface Parts {
  readonly tables: Tables
  readonly rules: Rules
}

async function insertTokens(
  { tables: { tokens }, rules }: Parts,
  records: readonly TokenRecord[],
  limit?: LiveLimit,
): Promise<'inserted' | 'limit'> {
  const fresh = records.filter(({ id }) => !tokens.has(id))
  const [first] = fresh
  if (first === undefined) return 'inserted'
  if (limit !== undefined) {
    const live = [...tokens.values()].filter((row) => rules.counts(row, first, limit.now))
    const gap = rules.gap('limit')
    if (gap !== undefined) await gap
    if (rules.isFull(live.length, fresh.length, limit.max)) return 'limit'
  }
  for (const record of fresh) {
    tokens.set(record.id, rules.take(record))
    const gap = rules.gap('insert')
    if (gap !== undefined) await gap
  }
  return 'inserted'
}

function matches(
  rules: Rules,
  row: TokenRecord,
  { liveAt, supersededAliveAt, revoked, expiresBefore, unusedBefore, ...fields }: TokenFilter,
): boolean {
  const names = Object.keys(fields) as Array<keyof typeof fields>
  return (
    names.every(
      (name) => row[name] !== null && rules.text(row[name]) === rules.text(fields[name] ?? ''),
    ) &&
    (revoked === undefined || rules.isMarked(row) === revoked) &&
    (expiresBefore === undefined || rules.expiresBefore(row, expiresBefore)) &&
    (unusedBefore === undefined || rules.isUnused(row, unusedBefore)) &&
    (liveAt === undefined || rules.isLive(row, liveAt)) &&
    (supersededAliveAt === undefined || rules.isEnding(row, supersededAliveAt))
  )
}

function pageOf<T extends { readonly id: string }>(
  { rules }: Parts,
  rows: Iterable<T>,
  { after, limit, order }: TokenListPage,
  isMatch: (row: T) => boolean,
): T[] {
  const isNewest = order === 'newest'
  const isBeyond = (id: string) =>
    after === undefined || (isNewest ? rules.isAfter(after, id) : rules.isAfter(id, after))
  return [...rows]
    .filter((row) => isMatch(row) && isBeyond(row.id))
    .sort((a, b) => (isNewest ? rules.compare(b.id, a.id) : rules.compare(a.id, b.id)))
    .slice(0, limit)
    .map((row) => rules.give(row))
}

async function succeed(
  { tables, rules }: Parts,
  id: string,
  successor: TokenRecord,
  supersededAt: number | null,
): Promise<Succession> {
  const { tokens, revocations } = tables
  const row = tokens.get(rules.id(id))
  if (row === undefined) return { outcome: 'missing' }
  const isBarred = [...revocations.values()].some((kept) => rules.bars(kept, row, successor))
  if (isBarred || rules.isMarked(row)) return { outcome: 'revoked' }
  const winner = row.successor === null ? undefined : tokens.get(row.successor)
  if (winner !== undefined) {
    return { outcome: 'already', predecessor: rules.give(row), successor: rules.give(winner) }
  }
  if (!rules.inherits(row, successor)) return { outcome: 'changed', predecessor: rules.give(row) }
  const gap = rules.gap('succeed')
  if (gap !== undefined) await gap
  row.successor = successor.id
  rules.arrive(tables.arrivals, row.id)
  if (supersededAt !== null) row.supersededAt = rules.earlier(row.supersededAt, supersededAt)
  const grandparent = tokens.get(row.predecessor ?? '')
  if (grandparent !== undefined) {
    grandparent.supersededAt = rules.earlier(grandparent.supersededAt, successor.issuedAt)
    rules.arrive(tables.arrivals, grandparent.id)
  }
  tokens.set(successor.id, rules.take(successor))
  return { outcome: 'succeeded' }
}

async function updateDetails(
  { tables, rules }: Parts,
  id: string,
  expected: string,
  { label, owner, purpose, detailsTag }: TokenDetails,
): Promise<boolean> {
  const row = tables.tokens.get(rules.id(id))
  if (row === undefined || !rules.expects(row, expected)) return false
  const gap = rules.gap('details')
  if (gap !== undefined) await gap
  Object.assign(row, { label, owner, purpose, detailsTag })
  return true
}

async function supersede({ tables, rules }: Parts, id: string, at: number): Promise<void> {
  const row = tables.tokens.get(rules.id(id))
  if (row === undefined) return
  const supersededAt = rules.earlier(row.supersededAt, at)
  const gap = rules.gap('row')
  if (gap !== undefined) await gap
  if (row.supersededAt !== supersededAt) rules.arrive(tables.arrivals, row.id)
  row.supersededAt = supersededAt
}

/** As an adapter does: the changes, each once. */
function changes({ tables, rules }: Parts, after: string | null, limit: number): Changes {
  const { arrivals, revocations, tokens } = tables
  const from = after === null ? arrivals.length : Number(after)
  const ids = arrivals.slice(from, from + limit)
  return {
    revocations: ids.flatMap((id) => revocations.get(id) ?? []).map((row) => rules.give(row)),
    superseded: ids.flatMap((id) => tokens.get(id) ?? []).map((row) => rules.give(row)),
    cursor: String(from + ids.length),
    more: from + ids.length < arrivals.length,
  }
}

async function revoke({ tables, rules }: Parts, revocation: Revocation): Promise<Matched> {
  const { id, kind, value, at, actor, reason } = revocation
  if (tables.revocations.has(id)) return { matched: tables.matched.get(id) ?? 0 }
  const covered = [...tables.tokens.values()].filter(
    (row) => rules.covers(revocation, row) && !rules.isMarked(row),
  )
  const gap = rules.gap('revoke')
  if (gap !== undefined) await gap
  tables.revocations.set(id, rules.take(revocation))
  rules.arrive(tables.arrivals, id)
  const matched = covered.filter((row) => rules.isLive(row, at)).length
  tables.matched.set(id, matched)
  for (const row of covered) {
    row.revokedAt = at
    const gap = rules.gap('mark')
    if (gap !== undefined) await gap
    Object.assign(row, { revokedBy: actor, revokedReason: reason })
  }
  const key = kind === 'key' ? tables.keys.get(value) : undefined
  if (key !== undefined && !rules.isMarked(key)) key.revokedAt = at
  return { matched }
}

async function insertKey({ tables, rules }: Parts, record: KeyRecord): Promise<boolean> {
  const isTaken = [...tables.keys.values()].some(
    ({ id, audience, generation }) =>
      id === record.id ||
      (rules.text(audience) === rules.text(record.audience) && generation === record.generation),
  )
  const gap = rules.gap('key')
  if (gap !== undefined) await gap
  if (isTaken) return false
  tables.keys.set(record.id, rules.take(record))
  return true
}

async function recordUsage({ tables, rules }: Parts, usages: readonly Usage[]): Promise<void> {
  for (const { id, at } of usages) {
    const row = tables.tokens.get(rules.id(id))
    if (row === undefined) continue
    const lastUsedAt = rules.later(row.lastUsedAt, at)
    const gap = rules.gap('row')
    if (gap !== undefined) await gap
    row.lastUsedAt = lastUsedAt
  }
}

function removePast<T extends { readonly expiresAt: number }>(
  rules: Rules,
  rows: Map<string, T>,
  upTo: number,
): number {
  let removed = 0
  for (const [id, { expiresAt }] of rows) {
    if (rules.isPast(expiresAt, upTo) && rows.delete(id)) removed++
  }
  return removed
}
