/**
 * The audit of an in-memory store.
 *
 * @module
 */
import type { AuditEntry, AuditFilter, AuditLeaf, AuditRow, AuditStore } from '../audit.js'
import { pageOf } from './lists.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The rows of the audit, and their order in the tree. */
export class AuditTable {
  readonly #rows = new Map<string, Writable<AuditEntry>>()
  readonly #pending = new Set<string>()
  /** Ids by index. */
  readonly #leaves: string[] = []
  #state = ''

  /** Inserts rows whose ids are new. */
  write(rows: readonly AuditRow[] = []): void {
    for (const row of rows) {
      const { id, at } = row
      if (this.#rows.has(id)) continue
      const place = { index: null, hash: null, place: null }
      this.#rows.set(id, { id, at, ...place, row: Object.freeze({ ...row }) })
      this.#pending.add(id)
    }
  }

  /** The part of a store over this table. */
  part(step: <T>(work: () => T) => Promise<T>): AuditStore {
    return {
      write: (rows) => step(() => this.write(rows)),
      listPending: (page) => step(() => this.#listPending(page)),
      head: () => step(() => ({ size: this.#leaves.length, state: this.#state })),
      append: (size, leaves, state) => step(() => this.#append(size, leaves, state)),
      read: (from, limit) => step(() => this.#read(from, limit)),
      locate: (ids) =>
        step(() =>
          ids.flatMap((id) => {
            const entry = this.#rows.get(id)
            return entry === undefined ? [] : [{ id, index: entry.index }]
          }),
        ),
      list: (filter, page) =>
        step(() => {
          const matches = [...this.#rows.values()].filter((entry) => isMatch(entry, filter))
          return pageOf(matches, page).map((entry) => ({ ...entry }))
        }),
      purge: (until) => step(() => this.#purge(until)),
    }
  }

  #listPending(page: { readonly after?: string; readonly limit: number }): AuditRow[] {
    const rows = [...this.#pending].flatMap((id) => this.#rows.get(id)?.row ?? [])
    return pageOf(rows, page).map((row) => ({ ...row }))
  }

  #append(size: number, leaves: readonly AuditLeaf[], state: string): boolean {
    const isNew = new Set(leaves.map(({ id }) => id)).size === leaves.length
    const isPending = leaves.every(({ id }) => this.#pending.has(id))
    if (size !== this.#leaves.length || !isNew || !isPending) return false
    for (const { id, hash, place } of leaves) {
      const entry = this.#rows.get(id) as Writable<AuditEntry>
      Object.assign(entry, { index: this.#leaves.length, hash, place })
      this.#leaves.push(id)
      this.#pending.delete(id)
    }
    this.#state = state
    return true
  }

  #read(from: number, limit: number): AuditEntry[] {
    const ids = this.#leaves.slice(from, from + limit)
    return ids.map((id) => ({ ...(this.#rows.get(id) as AuditEntry) }))
  }

  #purge(until: number): number {
    let purged = 0
    for (const entry of this.#rows.values()) {
      if (entry.index === null || entry.row === null || entry.at > until) continue
      entry.row = null
      purged++
    }
    return purged
  }
}

function isMatch({ row }: AuditEntry, filter: AuditFilter): boolean {
  if (row === null) return false
  const { since, until } = filter
  return (
    (['action', 'actor', 'subject', 'token', 'family'] as const).every(
      (field) => filter[field] === undefined || row[field] === filter[field],
    ) &&
    (since === undefined || row.at >= since) &&
    (until === undefined || row.at < until)
  )
}
