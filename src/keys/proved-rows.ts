/**
 * The trusted fields of a key's row: only the wrapped key authenticates itself.
 *
 * @module
 */
import type { KeyRecord } from '../store/store.js'
import { isSameContent } from './record-tags.js'

/** The rows of loaded keys, as far as their integrity tags prove them. */
export class ProvedRows {
  readonly #onTampered: (record: KeyRecord) => void
  readonly #tampered = new Set<string>()

  /** @param onTampered - Called once with each modified row. */
  constructor(onTampered: (record: KeyRecord) => void) {
    this.#onTampered = onTampered
  }

  /** The number of modified rows. */
  get tampered(): number {
    return this.#tampered.size
  }

  /** Records a row that does not match its tag. */
  report(record: KeyRecord): void {
    if (this.#tampered.has(record.id)) return
    this.#tampered.add(record.id)
    this.#onTampered(record)
  }

  /**
   * The record to use. Fields that were proved once stay as proved, even if the row changes later. A row that never
   * matched its tag counts as a revoked key: it is not used, and its generation stays taken.
   */
  believed(row: KeyRecord, proved: KeyRecord | undefined): KeyRecord {
    if (proved !== undefined) {
      if (!isSameContent(proved, row)) this.report(row)
      const { wrapped, wrappedBy, revokedAt } = row
      return { ...proved, wrapped, wrappedBy, revokedAt: revokedAt ?? proved.revokedAt }
    }
    return this.#tampered.has(row.id) ? { ...row, revokedAt: row.revokedAt ?? 0 } : row
  }
}
