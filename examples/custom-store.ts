/**
 * A custom store in one JSON file. A queue runs one method at a time. Each method is atomic, because it renames a
 * complete file into place. `storeContract` of watchword/testkit tests it.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import type {
  Changes,
  KeyRecord,
  Matched,
  Revocation,
  Store,
  TokenFilter,
  TokenListPage,
  TokenRecord,
} from 'watchword/store'

type Token = { -readonly [K in keyof TokenRecord]: TokenRecord[K] }

type Data = [
  tokens: Map<string, Token>,
  keys: Map<string, KeyRecord>,
  revocations: Map<string, Revocation & Matched>,
  /** The number of the last change of each revocation and token, in ascending order. */
  changes: Map<string, number>,
]

const queues = new Map<string, Promise<unknown>>()

/** A store in one JSON file, for one process at a time. */
export function jsonFileStore(file: string): Store {
  let closed = false

  // One method at a time: changes are written before the method resolves, and a method that fails changes nothing.
  function step<T>(work: (...data: Data) => T): Promise<T> {
    const turn = (queues.get(file) ?? Promise.resolve()).then(async () => {
      if (closed) throw new Error('the store is closed')
      const before = await readFile(file, 'utf8')
      const data = JSON.parse(before).map((entries: []) => new Map(entries)) as Data
      const result = work(...data)
      const after = JSON.stringify(data.map((rows) => [...rows]))
      if (after === before) return result
      await writeFile(`${file}.new`, after)
      await rename(`${file}.new`, file)
      return result
    })
    const settled = turn.catch(() => undefined)
    queues.set(file, settled)
    return turn
  }

  return {
    name: 'json-file',
    supports: { durable: true },
    open: () =>
      writeFile(file, '[[],[],[],[]]', { flag: 'wx' }).then(undefined, () => step(() => undefined)),
    close: async () => {
      closed = true
    },
    insertTokens: (records, limit) =>
      step((tokens) => {
        const fresh = records.filter(({ id }) => !tokens.has(id))
        const [{ subject, policy } = { subject: '', policy: '' }] = fresh
        const held = [...tokens.values()].filter(
          (row) => row.subject === subject && row.policy === policy && isHeld(row, limit?.now ?? 0),
        )
        if (limit && fresh.length > 0 && held.length + fresh.length > limit.max) return 'limit'
        for (const record of fresh) tokens.set(record.id, { ...record })
        return 'inserted'
      }),
    getToken: (id) => step((tokens) => tokens.get(id)),
    listTokens: (filter, page) =>
      step((tokens) => pageOf(tokens, page, (row) => matches(row, filter))),
    countTokens: (filter) =>
      step((tokens) => [...tokens.values()].filter((row) => matches(row, filter)).length),
    updateDetails: (id, expected, next) =>
      step((tokens) => {
        const row = tokens.get(id)
        return row?.detailsTag === expected && tokens.set(id, { ...row, ...next }).has(id)
      }),
    succeed: (id, successor, supersededAt) =>
      step((tokens, _keys, revocations, changes) => {
        const row = tokens.get(id)
        if (row === undefined) return { outcome: 'missing' }
        const sealed = { keyId: successor.keyId, generation: successor.generation }
        const covered = (one: Revocation) => covers(one, row) || covers(one, { ...row, ...sealed })
        if (row.revokedAt !== null) return { outcome: 'revoked' }
        if ([...revocations.values()].some(covered)) return { outcome: 'revoked' }
        const winner = row.successor === null ? undefined : tokens.get(row.successor)
        if (winner !== undefined) return { outcome: 'already', predecessor: row, successor: winner }
        if (details(row) !== details(successor)) return { outcome: 'changed', predecessor: row }
        row.successor = successor.id
        if (supersededAt !== null) endAt(row, supersededAt)
        arrive(changes, id)
        const older = row.predecessor ?? ''
        if (endAt(tokens.get(older), successor.issuedAt)) arrive(changes, older)
        tokens.set(successor.id, { ...successor })
        return { outcome: 'succeeded' }
      }),
    supersede: (id, at) =>
      step((tokens, _keys, _revocations, changes) => {
        if (endAt(tokens.get(id), at)) arrive(changes, id)
      }),
    revoke: (revocation) =>
      step((tokens, keys, revocations, changes) => {
        const known = revocations.get(revocation.id)
        if (known !== undefined) return { matched: known.matched }
        const { id, kind, value, at, actor, reason } = revocation
        const hit = [...tokens.values()].filter(
          (row) => row.revokedAt === null && covers(revocation, row),
        )
        const matched = hit.filter((row) => matches(row, { liveAt: at })).length
        revocations.set(id, { ...revocation, matched })
        arrive(changes, id)
        const mark = { revokedAt: at, revokedBy: actor, revokedReason: reason }
        for (const row of hit) Object.assign(row, mark)
        const key = kind === 'key' ? keys.get(value) : undefined
        if (key?.revokedAt === null) keys.set(value, { ...key, revokedAt: at })
        return { matched }
      }),
    changes: (after, limit) =>
      step((tokens, _keys, revocations, changes): Changes => {
        const last = [...changes.values()].at(-1) ?? 0
        const from = after === null ? last : Number(after)
        const page = [...changes].filter(([, number]) => number > from).slice(0, limit)
        const cursor = page.at(-1)?.[1] ?? from
        return {
          revocations: page.flatMap(([id]) => revocations.get(id) ?? []).map(toRevocation),
          superseded: page.flatMap(([id]) => tokens.get(id) ?? []),
          cursor: String(cursor),
          more: cursor < last,
        }
      }),
    listRevocations: (page) =>
      step((_tokens, _keys, revocations) =>
        pageOf(revocations, page, () => true).map(toRevocation),
      ),
    insertKey: (record) =>
      step((_tokens, keys) => {
        const same = (key: KeyRecord) =>
          key.audience === record.audience && key.generation === record.generation
        if (keys.has(record.id) || [...keys.values()].some(same)) return false
        return keys.set(record.id, record).has(record.id)
      }),
    listKeys: () => step((_tokens, keys) => [...keys.values()]),
    rewrapKey: (id, expected, next) =>
      step((_tokens, keys) => {
        const key = keys.get(id)
        return key?.wrapped === expected && keys.set(id, { ...key, ...next }).has(id)
      }),
    recordUsage: (usages) =>
      step((tokens) => {
        for (const { id, at } of usages) {
          const row = tokens.get(id)
          if (row !== undefined) row.lastUsedAt = Math.max(row.lastUsedAt ?? at, at)
        }
      }),
    purge: (before) =>
      step((tokens, keys, revocations) => ({
        tokens: drop(tokens, before.tokens),
        keys: drop(keys, before.keys),
        revocations: drop(revocations, before.revocations),
      })),
  }
}

const isHeld = ({ revokedAt, expiresAt, successor }: TokenRecord, at: number) =>
  revokedAt === null && expiresAt > at && successor === null

const details = ({ label, owner, purpose, hint }: TokenRecord) =>
  JSON.stringify([label, owner, purpose, hint])

function matches(row: TokenRecord, filter: TokenFilter): boolean {
  const { liveAt, supersededAliveAt, revoked, expiresBefore, unusedBefore, ...equal } = filter
  const { revokedAt, issuedAt, expiresAt, supersededAt, lastUsedAt } = row
  if (revoked !== undefined && revoked !== (revokedAt !== null)) return false
  if (expiresAt >= (expiresBefore ?? Infinity)) return false
  if (Math.max(issuedAt, lastUsedAt ?? 0) >= (unusedBefore ?? Infinity)) return false
  if (expiresAt <= Math.max(liveAt ?? 0, supersededAliveAt ?? 0)) return false
  if (supersededAliveAt !== undefined && supersededAt === null) return false
  const isOver = revokedAt !== null || (supersededAt ?? Infinity) <= (liveAt ?? 0)
  if (liveAt !== undefined && isOver) return false
  return Object.entries(equal).every(([name, value]) => row[name as keyof TokenRecord] === value)
}

function pageOf<T>(rows: Map<string, T>, page: TokenListPage, fits: (row: T) => boolean): T[] {
  const { after, order, limit } = page
  const ids = [...rows.keys()].filter((id) => fits(rows.get(id) as T)).sort()
  if (order === 'newest') ids.reverse()
  const isBeyond = (id: string) =>
    after === undefined || (order === 'newest' ? id < after : id > after)
  return ids
    .filter(isBeyond)
    .slice(0, limit)
    .map((id) => rows.get(id) as T)
}

/** Ends a token at this time, unless it ends earlier. Returns whether its end changed. */
function endAt(row: Token | undefined, at: number): boolean {
  if (row === undefined || at >= (row.supersededAt ?? Infinity)) return false
  row.supersededAt = at
  return true
}

// The last change comes last. Purged changes stay in the list, so that no number is used twice.
function arrive(changes: Map<string, number>, id: string): void {
  const last = [...changes.values()].at(-1) ?? 0
  changes.delete(id)
  changes.set(id, last + 1)
}

const toRevocation = ({ matched: _, ...revocation }: Revocation & Matched): Revocation => revocation

function covers(revocation: Revocation, row: TokenRecord): boolean {
  const { kind, value, before, family, generation } = revocation
  if (family === row.family && row.generation >= (generation ?? 0)) return true
  if (kind === 'token' || kind === 'family') return row[kind === 'token' ? 'id' : kind] === value
  if (kind === 'key') return row.keyId === value
  return row.familyIssuedAt <= before && (kind === 'all' || row[kind] === value)
}

function drop(rows: Map<string, { readonly expiresAt: number }>, before: number): number {
  const size = rows.size
  for (const [id, { expiresAt }] of rows) if (expiresAt <= before) rows.delete(id)
  return size - rows.size
}
