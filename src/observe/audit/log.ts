/**
 * The audit of one authority, as operators read it.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { bare } from '../../lib/fields.js'
import { DEFAULT_LIMIT, unknownPosition } from '../../lib/query.js'
import { quote } from '../../lib/quote.js'
import { parseInput } from '../../lib/schema.js'
import type { AuditEntry, AuditRow, AuditStore } from '../../store/audit.js'
import { isUlid } from '../../token/claims.js'
import type { AuditEvent } from '../channels.js'
import type { StoreCall } from '../failures.js'
import type { AuditCheckpoint } from './checkpoint.js'
import { idOf, parseEntry } from './entries.js'
import { eventOf, foundId } from './event.js'
import type { NewestCheckpoint } from './newest.js'
import type { OwnRows } from './own-rows.js'
import {
  type AuditReadQuery,
  checkpointIn,
  listSchema,
  readSchema,
  refuseCheckpoint,
  verifySchema,
} from './query.js'
import { RowChecks, type RowFinding } from './row-checks.js'
import { type AuditSeals, checkRow } from './seals.js'
import type { Sequencer } from './sequencer.js'
import { type AuditReport, verifyAudit } from './verify.js'
import type { AuditWitness } from './witness.js'

/** One event of the audit. */
export interface AuditRecord {
  /** The id of its row: a ULID, in the order of time. */
  readonly id: string
  /** Its index in the tree, from 0; `null` until a node has appended it, within `checkpointEvery`. */
  readonly index: number | null
  /** What happened. */
  readonly event: AuditEvent
  /**
   * Whether the seals of its row prove it. `false` if their keys are lost: such a row can be forged, and only
   * `audit.verify` shows whether a checkpoint proves it.
   */
  readonly proved: boolean
}

/** A page of events. */
export interface AuditPage {
  /** The events, in the requested order. */
  readonly items: readonly AuditRecord[]
  /** The `after` of the next page; absent on the last page. */
  readonly next?: string
  /**
   * The ids of rows that the authority did not write as they are, or not at that place; absent if there are none. A row
   * that a custom store returns without an id is `?`.
   */
  readonly corrupt?: readonly string[]
}

/** Options of the log. */
export interface AuditLogOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  /** The time in Unix milliseconds, by the clock of the store if this node's is known to be wrong. */
  readonly now: () => number
  readonly seals: AuditSeals
  readonly witness: AuditWitness
  readonly newest: NewestCheckpoint
  readonly own: OwnRows
  readonly sequencer: Sequencer
  readonly origin: string
  readonly keepMs: number
}

const READ_PAGE = 500

/** The audit of one authority. */
export class AuditLog {
  readonly #options: AuditLogOptions
  readonly #checks: RowChecks

  constructor(options: AuditLogOptions) {
    this.#options = options
    // No list returns purged rows.
    this.#checks = new RowChecks({ seals: options.seals, purgedUntil: 0 })
  }

  /** A page of events. */
  async list(raw: unknown): Promise<AuditPage> {
    const { limit = DEFAULT_LIMIT, after, order, ...filter } = parseInput(listSchema, raw, 'query')
    if (after !== undefined && !(await this.#isPosition(after))) throw unknownPosition(after)
    return this.#page(filter, {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(order === undefined ? {} : { order }),
    })
  }

  // A row that an attacker inserted may have any id, and the next page begins after it.
  async #isPosition(after: string): Promise<boolean> {
    const { store, call } = this.#options
    return isUlid(after) || (await call(() => store.locate([after]))).length > 0
  }

  /** All matching events, oldest first. Throws `ERR_STORE_CORRUPT` at a row that was edited or inserted. */
  read(raw: unknown): AsyncGenerator<AuditRecord, void> {
    return this.#read(parseInput(readSchema, raw, 'query'))
  }

  async *#read(filter: AuditReadQuery): AsyncGenerator<AuditRecord, void> {
    let after: string | undefined
    do {
      const page = after === undefined ? { limit: READ_PAGE } : { limit: READ_PAGE, after }
      const { items, next, corrupt } = await this.#page(filter, page)
      if (corrupt !== undefined) throw corruptAudit(corrupt[0] as string)
      yield* items
      after = next
    } while (after !== undefined)
  }

  async #page(
    filter: AuditReadQuery,
    page: { readonly limit: number; readonly after?: string; readonly order?: 'oldest' | 'newest' },
  ): Promise<AuditPage> {
    const { store, call } = this.#options
    // One extra entry shows whether there is a next page.
    const asked = { ...page, limit: page.limit + 1 }
    const found = await call(() => store.list(bare(filter), bare(asked)))
    const items: AuditRecord[] = []
    const corrupt: string[] = []
    await this.#checks.load(found)
    for (const value of found.slice(0, page.limit)) {
      const entry = parseEntry(value)
      const record = entry === undefined ? undefined : this.#recordOf(entry)
      if (record === undefined) corrupt.push(idOf(value) ?? '?')
      else items.push(record)
    }
    const last: unknown = found[page.limit - 1]
    return {
      items,
      ...(found.length > page.limit ? { next: idOf(last) ?? '?' } : {}),
      ...(corrupt.length > 0 ? { corrupt } : {}),
    }
  }

  /** The event of an entry; `undefined` if a verification would name the entry. */
  #recordOf(entry: AuditEntry): AuditRecord | undefined {
    const { id, index, row } = entry
    if (row?.id !== id) return undefined
    const finding = index === null ? this.#pending(row) : this.#checks.check(entry, { size: index })
    const event = eventOf(id, row.body)
    if (event === undefined || (finding !== undefined && finding !== 'unproved')) return undefined
    return Object.freeze({ id, index, event, proved: finding === undefined })
  }

  // No checkpoint proves a row without a place.
  #pending(row: AuditRow): RowFinding {
    return checkRow(this.#options.seals, row) === 'intact' ? undefined : 'inserted'
  }

  /** Appends every event that was written so far, and resolves with the checkpoint of the tree. */
  checkpoint(): Promise<AuditCheckpoint> {
    return this.#options.sequencer.run()
  }

  /** Verifies every row, against the known checkpoints and the given one. */
  async verify(raw: unknown): Promise<AuditReport> {
    refuseCheckpoint(raw)
    const { checkpoint } = parseInput(verifySchema, raw, 'options')
    const { witness, now, keepMs, origin } = this.#options
    const given = checkpoint === undefined ? [] : [checkpointIn(checkpoint, origin)]
    const anchors = () => [...witness.seen, ...given].sort((a, b) => a.size - b.size)
    const purgedUntil = now() - keepMs + SLACK_MS
    return verifyAudit({ ...this.#options, anchors, purgedUntil })
  }
}

/** The error of an iteration over the audit that has come to a row with this id. */
function corruptAudit(found: string): WatchwordError<'ERR_STORE_CORRUPT'> {
  const named = isUlid(found) ? found : quote(found)
  return new WatchwordError(
    'ERR_STORE_CORRUPT',
    `the row ${named} of the audit is not one that the authority wrote; call audit.verify(), and keep the row as evidence`,
    { detail: `audit ${foundId(found)}` },
  )
}

// The node that purged may have read another clock.
const SLACK_MS = 300_000
