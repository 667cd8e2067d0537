/**
 * The rows that one node has written and that have no place in the tree yet. Nothing in the store shows that one of them
 * was deleted, so the node that wrote it looks for it.
 *
 * @module
 */
import type { AuditStore } from '../../store/audit.js'

// A node that writes more within one interval looks for these only.
const MAX_WATCHED = 10_000
const MAX_DELETED = 100
const BATCH = 1000

/** The rows of one node that are not in the tree yet. */
export class OwnRows {
  readonly #look: AuditStore['locate'] | undefined
  readonly #watched = new Set<string>()
  readonly #deleted = new Set<string>()

  /** @param look - `locate` of the store; `undefined` if the audit is not kept: then there are no rows. */
  constructor(look: AuditStore['locate'] | undefined) {
    this.#look = look
  }

  /** Watches a row that the store has accepted. */
  add(id: string): void {
    if (this.#look !== undefined && this.#watched.size < MAX_WATCHED) this.#watched.add(id)
  }

  /** Whether this node has written the row, and it has no place yet. */
  has(id: string): boolean {
    return this.#watched.has(id)
  }

  /** The watched rows, in the order in which they were written. */
  get ids(): readonly string[] {
    return [...this.#watched]
  }

  /** Forgets rows that this node has appended. */
  placed(ids: readonly string[]): void {
    for (const id of ids) this.#watched.delete(id)
  }

  /**
   * Looks for rows of this node, of those that were written before the last append. Forgets those that another node has
   * appended. Resolves with the number of rows that are newly found to be deleted. Rejects like the store.
   */
  async look(ids: readonly string[]): Promise<number> {
    const rest = ids.filter((id) => this.#watched.has(id))
    const found = await this.#locate(rest)
    let deleted = 0
    for (const id of rest) {
      const index = found.get(id)
      if (index === null) continue
      this.#watched.delete(id)
      if (index !== undefined) continue
      deleted++
      if (this.#deleted.size < MAX_DELETED) this.#deleted.add(id)
    }
    return deleted
  }

  /** The first row of this node that is not stored any more. Rejects like the store. */
  async firstDeleted(): Promise<string | undefined> {
    const ids = [...this.#deleted, ...this.#watched]
    const found = await this.#locate(ids)
    return ids.find((id) => !found.has(id))
  }

  async #locate(ids: readonly string[]): Promise<ReadonlyMap<string, number | null>> {
    const found = new Map<string, number | null>()
    for (let from = 0; from < ids.length; from += BATCH) {
      const rows = (await this.#look?.(ids.slice(from, from + BATCH))) ?? []
      for (const { id, index } of rows) found.set(id, index)
    }
    return found
  }
}
