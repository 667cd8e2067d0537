/**
 * The check of one row of the tree, by its own seals.
 *
 * @module
 */
import { DAY } from '../../lib/duration.js'
import type { AuditEntry, AuditRow } from '../../store/audit.js'
import { agrees, agreesWith, eventOf } from './event.js'
import type { AuditFaultKind } from './fault.js'
import { type AuditPlace, type AuditSeals, isTimed, loadAll } from './seals.js'
import { bodyHash, leafHex } from './tree.js'

/** Options of the checks. */
export interface RowCheckOptions {
  readonly seals: AuditSeals
  /** Content of rows up to this time may have been purged. */
  readonly purgedUntil: number
}

// Rows may have waited for the store before they were appended.
const MAX_WAITED_MS = DAY

/** What a check has found. */
export type RowFinding =
  | Exclude<AuditFaultKind, 'checkpoint'>
  /** Moved towards the end of the tree. */
  | 'pushed'
  /** Intact, but sealed after another number of rows of earlier versions than are stored before it. */
  | 'recounted'
  /** The key of its seals is lost, so only a checkpoint can prove it. */
  | 'unproved'
  | undefined

/** Where a row is expected. */
export interface ExpectedPlace {
  /** The number of rows before it. */
  readonly size: number
  /** The number of them that are of earlier versions, whose leaves cover no time; `undefined` if it is not known. */
  readonly untimed?: number
}

/** Checks rows, each by itself. */
export class RowChecks {
  readonly #options: RowCheckOptions
  /** The next rows were appended after this time. */
  #after = Number.NEGATIVE_INFINITY

  constructor(options: RowCheckOptions) {
    this.#options = options
  }

  /** Loads the keys that the checks of these entries need. Rejects with `ERR_STORE_UNAVAILABLE`. */
  load(page: readonly Partial<AuditEntry | null>[]): Promise<void> {
    const texts = page.flatMap((entry) => [entry?.place, entry?.row?.tag])
    return loadAll(
      this.#options.seals,
      texts.filter((text) => typeof text === 'string'),
    )
  }

  /** Notes that the next rows were appended after this time, in Unix milliseconds. */
  appendedAfter(time = Number.NEGATIVE_INFINITY): void {
    this.#after = Math.max(this.#after, time)
  }

  /** Checks an entry of the tree. */
  check(entry: AuditEntry, expected: ExpectedPlace): RowFinding {
    const { id, index, place, row } = entry
    if (index === null || index < expected.size) return 'inserted'
    if (index > expected.size) return 'missing'
    const sealed = this.#options.seals.openPlace(id, place as string)
    if (sealed === 'unknown') return this.#unproved(entry, expected)
    if (sealed === 'tampered') return this.#displaced(entry)
    if (sealed.index !== index) return sealed.index < index ? 'pushed' : 'moved'
    if (sealed.hash !== entry.hash || sealed.at !== entry.at) return 'edited'
    const isWhole =
      row === null
        ? this.#isPurged(entry)
        : this.#isTagOf(row, sealed) && isHashed(entry, row) && agreesWith(row, row.body)
    if (!isWhole) return 'edited'
    const { untimed = sealed.untimed } = expected
    return sealed.untimed === undefined || sealed.untimed === untimed ? undefined : 'recounted'
  }

  #isPurged({ at }: AuditEntry): boolean {
    return at <= this.#options.purgedUntil
  }

  // No seal proves the time of a row whose content is gone and whose key is lost. The checkpoint after it does, but the
  // last rows may have none. A genuine one was appended long ago.
  #isOld(): boolean {
    return this.#after <= this.#options.purgedUntil + MAX_WAITED_MS
  }

  #isTagOf({ tag }: AuditRow, { tagHash }: AuditPlace): boolean {
    return this.#options.seals.tagHash(tag) === tagHash
  }

  // The key of the place is lost.
  #unproved(entry: AuditEntry, { size, untimed = size }: ExpectedPlace): RowFinding {
    const { id, place, row } = entry
    const isLate = untimed < size && !isTimed(place as string)
    if (row === null)
      return this.#isOld() && this.#isPurged(entry) && !isLate ? 'unproved' : 'edited'
    const tag = this.#options.seals.check(id, row.body, row.tag)
    // The tag was made before the place, so its key is not lost any later.
    if (tag === 'intact') return 'moved'
    if (isLate) return 'edited'
    const event = tag === 'unknown' && isHashed(entry, row) ? eventOf(id, row.body) : undefined
    return event !== undefined && agrees(row, event) ? 'unproved' : 'edited'
  }

  // The authority did not seal the place.
  #displaced({ id, place, row }: AuditEntry): RowFinding {
    const { seals } = this.#options
    if (row === null) return 'inserted'
    if (seals.check(id, row.body, row.tag) === 'intact') return 'moved'
    // A row whose id was edited is still sealed under the id of its body.
    const named = rowIdOf(row.body)
    return typeof seals.openPlace(named, place as string) === 'object' ? 'edited' : 'inserted'
  }
}

/** Whether the content of a row has the hash of its entry. */
function isHashed({ id, at, hash, place }: AuditEntry, row: AuditRow): boolean {
  const found = isTimed(place as string) ? bodyHash(row.body) : leafHex(row.body)
  return row.id === id && row.at === at && found === hash
}

function rowIdOf(body: string): string {
  try {
    const { row } = JSON.parse(body) as { readonly row?: unknown }
    return String(row)
  } catch {
    return ''
  }
}
