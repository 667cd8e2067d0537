/**
 * The restrictions of the memory store.
 *
 * @module
 */
import type { AuditRow } from '../audit.js'
import {
  compareTargets,
  type RestrictionPage,
  type RestrictionRecord,
  type RestrictionStore,
  type RestrictionTarget,
  type RestrictionWrite,
  sameRestriction,
} from '../restrictions.js'

/** The registers of a store. */
export class RestrictionTable {
  readonly #rows = new Map<string, RestrictionRecord>()

  /** The register with this key. */
  at(key: string): RestrictionRecord | undefined {
    const row = this.#rows.get(key)
    return row === undefined ? undefined : { ...row }
  }

  /**
   * The part of a store over this table.
   *
   * @param onWritten - Called with the key of a register and the rows of the audit, in the step that writes both.
   * @param onPurged - Called with the key of each register that is removed.
   */
  part(
    step: <T>(work: () => T) => Promise<T>,
    onWritten: (key: string, audit: readonly AuditRow[] | undefined) => void,
    onPurged: (key: string) => void,
  ): RestrictionStore {
    return {
      read: (target) => step(() => this.at(keyOf(target))),
      write: (next, audit) =>
        step(() => {
          const result = this.#write(next)
          if (result === 'kept') return { outcome: 'written' }
          if (result !== 'set') return result
          onWritten(keyOf(next), audit)
          return { outcome: 'written' }
        }),
      list: (page) => step(() => this.#list(page)),
      purge: (until) => step(() => this.#purge(until, onPurged)),
    }
  }

  #write(
    next: RestrictionRecord,
  ): 'set' | 'kept' | Extract<RestrictionWrite, { current: unknown }> {
    const current = this.at(keyOf(next))
    if ((current?.revision ?? 0) === next.revision - 1) {
      this.#rows.set(keyOf(next), { ...next })
      return 'set'
    }
    if (current !== undefined && sameRestriction(current, next)) return 'kept'
    return { outcome: 'changed', current }
  }

  #list({ after, limit }: RestrictionPage): RestrictionRecord[] {
    const rows = [...this.#rows.values()]
    const rest = after === undefined ? rows : rows.filter((row) => compareTargets(row, after) > 0)
    return rest
      .sort(compareTargets)
      .slice(0, limit)
      .map((row) => ({ ...row }))
  }

  #purge(until: number, onPurged: (key: string) => void): number {
    let purged = 0
    for (const [key, { expiresAt }] of this.#rows) {
      if (expiresAt > until) continue
      this.#rows.delete(key)
      onPurged(key)
      purged++
    }
    return purged
  }
}

/** The key of a register. No kind has a colon, and no id of another row has one. */
function keyOf({ kind, value }: RestrictionTarget): string {
  return `${kind}:${value}`
}
