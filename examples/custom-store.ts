/**
 * A store over something of your own: here one JSON file. A queue makes each method a step of its own, and a file that
 * is renamed into place makes it all or nothing; `storeContract` of watchword/testkit says whether that is enough.
 */
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { KeyRecord, Page, Revocation, Store, TokenFilter, TokenRecord } from 'watchword'

type Token = { -readonly [K in keyof TokenRecord]: TokenRecord[K] }

type Data = [Map<string, Token>, Map<string, KeyRecord>, Map<string, Revocation>]

const queues = new Map<string, Promise<unknown>>()

/** A store in one JSON file, for one process at a time. */
export function jsonFileStore(file: string): Store {
  let closed = false

  // One method after the other: what it changed is written before anyone hears of it, what fails changed nothing.
  function step<T>(work: (...data: Data) => T): Promise<T> {
    const turn = (queues.get(file) ?? Promise.resolve()).then(async () => {
      if (closed) throw new Error('the store is closed')
      const before = await readFile(file, 'utf8')
      const data = JSON.parse(before).map((entries: []) => new Map(entries)) as Data
      const answer = work(...data)
      const after = JSON.stringify(data.map((rows) => [...rows]))
      if (after === before) return answer
      await writeFile(`${file}.new`, after)
      await rename(`${file}.new`, file)
      return answer
    })
    const settled = turn.catch(() => undefined)
    queues.set(file, settled)
    return turn
  }

  return {
    name: 'json-file',
    supports: { durable: true },
    open: () =>
      writeFile(file, '[[],[],[]]', { flag: 'wx' }).then(undefined, () => step(() => undefined)),
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
    succeed: (id, successor, supersededAt) =>
      step((tokens, _keys, revocations) => {
        const row = tokens.get(id)
        if (row === undefined) return { outcome: 'missing' }
        const dead = (one: Revocation) => covers(one, row) || covers(one, { ...successor, id })
        if (row.revokedAt !== null) return { outcome: 'revoked' }
        if ([...revocations.values()].some(dead)) return { outcome: 'revoked' }
        const winner = row.successor === null ? undefined : tokens.get(row.successor)
        if (winner !== undefined) return { outcome: 'already', predecessor: row, successor: winner }
        row.successor = successor.id
        if (supersededAt !== null) endAt(row, supersededAt)
        if (row.predecessor !== null) endAt(tokens.get(row.predecessor), successor.issuedAt)
        tokens.set(successor.id, { ...successor })
        return { outcome: 'succeeded' }
      }),
    supersede: (id, at) => step((tokens) => endAt(tokens.get(id), at)),
    revoke: (revocation) =>
      step((tokens, keys, revocations) => {
        if (revocations.has(revocation.id)) return
        const { id, kind, value, at, actor, reason } = revocation
        revocations.set(id, revocation)
        const mark = { revokedAt: at, revokedBy: actor, revokedReason: reason }
        for (const row of tokens.values())
          if (row.revokedAt === null && covers(revocation, row)) Object.assign(row, mark)
        const key = kind === 'key' ? keys.get(value) : undefined
        if (key?.revokedAt === null) keys.set(value, { ...key, revokedAt: at })
      }),
    listRevocations: (page) =>
      step((_tokens, _keys, revocations) => pageOf(revocations, page, () => true)),
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

function matches(row: TokenRecord, { liveAt, supersededAliveAt, ...equal }: TokenFilter): boolean {
  const { revokedAt, expiresAt, supersededAt } = row
  if (expiresAt <= Math.max(liveAt ?? 0, supersededAliveAt ?? 0)) return false
  if (supersededAliveAt !== undefined && supersededAt === null) return false
  const isOver = revokedAt !== null || (supersededAt ?? Infinity) <= (liveAt ?? 0)
  if (liveAt !== undefined && isOver) return false
  return Object.entries(equal).every(([name, value]) => row[name as keyof TokenRecord] === value)
}

function pageOf<T>(rows: Map<string, T>, page: Page, fits: (row: T) => boolean): T[] {
  const after = page.after ?? ''
  const ids = [...rows.keys()].filter((id) => id > after && fits(rows.get(id) as T)).sort()
  return ids.slice(0, page.limit).map((id) => rows.get(id) as T)
}

function endAt(row: Token | undefined, at: number): void {
  if (row !== undefined) row.supersededAt = Math.min(row.supersededAt ?? at, at)
}

function covers({ kind, value, before }: Revocation, row: TokenRecord): boolean {
  if (kind === 'token' || kind === 'family') return row[kind === 'token' ? 'id' : kind] === value
  if (kind === 'key') return row.keyId === value
  return row.familyIssuedAt <= before && (kind === 'all' || row[kind] === value)
}

function drop(rows: Map<string, { readonly expiresAt: number }>, before: number): number {
  const size = rows.size
  for (const [id, { expiresAt }] of rows) if (expiresAt <= before) rows.delete(id)
  return size - rows.size
}
