/**
 * The store's methods for the audit.
 *
 * @module
 */
import { BATCH, type Run, textOf } from '../../clients/redis/script.js'
import type { AuditEntry, AuditFilter, AuditListPage, AuditRow, AuditStore } from '../audit.js'
import { auditArgs, auditEntryOf, auditRowOf } from './audit-rows.js'
import * as lua from './lua-audit.js'

const EQUALITIES = ['action', 'actor', 'subject', 'token', 'family'] as const

/** The part of the store. */
export function auditMethods(run: Run): AuditStore {
  return {
    async write(rows) {
      await run(lua.WRITE_AUDIT, ...auditArgs(rows))
    },
    listPending: ({ after = '', limit }) => listPending(run, after, limit),
    async head() {
      const { rest } = await run(lua.READ_HEAD)
      const [size, state] = rest.map(textOf)
      return { size: Number(size), state: state ?? '' }
    },
    async append(size, leaves, state) {
      const args = leaves.flatMap(({ id, hash, place }) => [id, hash, place])
      const { tag } = await run(lua.APPEND, String(size), state, ...args)
      return tag === 'done'
    },
    read: (from, limit) => read(run, from, limit),
    locate: (ids) => locate(run, ids),
    list: (filter, page) => list(run, filter, page),
    purge: (until) => purge(run, until),
  }
}

// A part may have fewer rows than it was asked for, because some are lost. So parts are read until there are enough.
async function listPending(run: Run, after: string, limit: number): Promise<AuditRow[]> {
  const rows: AuditRow[] = []
  for (let from = after; ; ) {
    const want = String(Math.min(limit - rows.length, BATCH))
    const { rest } = await run(lua.LIST_PENDING, from, want)
    rows.push(...rest.slice(1).map(auditRowOf))
    from = textOf(rest[0])
    if (from === '' || rows.length >= limit) return rows
  }
}

async function read(run: Run, from: number, limit: number): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = []
  for (let seen = 0; ; ) {
    const want = Math.min(limit - entries.length, BATCH)
    const { rest } = await run(lua.READ_LEAVES, String(from), String(seen), String(want))
    entries.push(...rest.slice(1).map(auditEntryOf))
    const count = Number(textOf(rest[0]))
    if (count < want || entries.length >= limit) return entries
    seen += count
  }
}

async function locate(
  run: Run,
  ids: readonly string[],
): Promise<Pick<AuditEntry, 'id' | 'index'>[]> {
  // A lone surrogate is sent as a replacement character, and could match an id stored with that.
  const asked = ids.filter((id) => id.isWellFormed())
  const { rest } = await run(lua.LOCATE, ...asked)
  return asked.flatMap((id, at) => {
    const place = textOf(rest[at])
    if (place === '') return []
    return [{ id, index: place === 'pending' ? null : Number(place) }]
  })
}

async function list(
  run: Run,
  filter: AuditFilter,
  { after, limit, order }: AuditListPage,
): Promise<AuditEntry[]> {
  const equal = EQUALITIES.flatMap((name) => {
    const value = filter[name]
    return value === undefined ? [] : [name, value]
  })
  if (!equal.every((text) => text.isWellFormed())) return []
  const times = [filter.since, filter.until].map((at) => String(at ?? ''))
  const isNewest = order === 'newest'
  let from = after === undefined ? (isNewest ? '+' : '-') : `(${after}`
  const entries: AuditEntry[] = []
  for (;;) {
    const bounds = [from, isNewest ? '-' : '+', String(Math.min(limit - entries.length, BATCH))]
    const { tag, rest } = await run(lua.LIST_AUDIT, ...bounds, ...times, ...equal)
    entries.push(...rest.slice(1).map(auditEntryOf))
    if (tag === 'end' || entries.length >= limit) return entries
    from = textOf(rest[0])
  }
}

async function purge(run: Run, until: number): Promise<number> {
  let purged = 0
  for (;;) {
    const { tag, rest } = await run(lua.PURGE_AUDIT, String(until))
    purged += Number(textOf(rest[0]))
    if (tag === 'none') return purged
  }
}
