/**
 * The audit of one authority, as operators read it.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../../errors.js'
import { bare } from '../../lib/fields.js'
import { invalidArgument } from '../../lib/invalid.js'
import { DEFAULT_LIMIT, nameText, pageShape, timeField } from '../../lib/query.js'
import { optional, parseInput, strict } from '../../lib/schema.js'
import type { AuditEntry, AuditFilter, AuditRow, AuditStore } from '../../store/audit.js'
import type { AuditEvent } from '../channels.js'
import type { StoreCall } from '../failures.js'
import { type AuditCheckpoint, parseCheckpoint } from './checkpoint.js'
import { parseEntry } from './entries.js'
import { eventOf } from './event.js'
import type { NewestCheckpoint } from './newest.js'
import type { OwnRows } from './own-rows.js'
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
  readonly event: AuditEvent
  /**
   * Whether the seals of its row prove it. `false` if their keys are lost: such a row can be forged, and only
   * `audit.verify` shows whether a checkpoint proves it.
   */
  readonly proved: boolean
}

/** A filter of events: equality on each field, unless its comment says otherwise. Default: all events. */
export interface AuditReadQuery extends AuditFilter {}

/** A filter and a page of events. */
export interface AuditListQuery extends AuditReadQuery {
  /** Default: `'oldest'` first. */
  readonly order?: 'oldest' | 'newest'
  /** The maximum number of events, from 1 to 1000. Default: 100. */
  readonly limit?: number
  /** `next` of the previous page. */
  readonly after?: string
}

/** A page of events. */
export interface AuditPage {
  readonly items: readonly AuditRecord[]
  /** The `after` of the next page; absent on the last page. */
  readonly next?: string
  /** The ids of rows that the authority did not write as they are, or not at that place; absent if there are none. */
  readonly corrupt?: readonly string[]
}

const filterShape = {
  action: nameText(64),
  actor: nameText(256),
  subject: nameText(1024),
  token: nameText(64),
  family: nameText(64),
  since: timeField('Date.UTC(2026, 0, 1)'),
  until: timeField('Date.UTC(2026, 0, 1)'),
}

const readSchema = strict(filterShape)

const listSchema = strict({ ...filterShape, ...pageShape, after: nameText(64) })

const verifySchema = strict({ checkpoint: optional(z.string('expected the text of a checkpoint')) })

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
    return this.#page(filter, {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(order === undefined ? {} : { order }),
    })
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
      if (corrupt !== undefined) {
        throw new WatchwordError(
          'ERR_STORE_CORRUPT',
          'a row of the audit is not one that the authority wrote; call audit.verify()',
          { detail: `audit ${corrupt[0]}` },
        )
      }
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
      if (record === undefined) corrupt.push(entry?.id ?? '?')
      else items.push(record)
    }
    const last = found[page.limit - 1]
    return {
      items,
      ...(found.length > page.limit && last !== undefined ? { next: last.id } : {}),
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
    const { checkpoint } = parseInput(verifySchema, raw, 'options')
    const { witness, now, keepMs } = this.#options
    const given = checkpoint === undefined ? [] : [this.#given(checkpoint)]
    const anchors = () => [...witness.seen, ...given].sort((a, b) => a.size - b.size)
    const purgedUntil = now() - keepMs + SLACK_MS
    return verifyAudit({ ...this.#options, anchors, purgedUntil })
  }

  #given(text: string): AuditCheckpoint {
    const checkpoint = parseCheckpoint(text)
    const { origin } = this.#options
    if (checkpoint === undefined) {
      throw invalidArgument(
        'options.checkpoint',
        'expected the text of a checkpoint: the issuer, the size and the root in base64, each on a line',
      )
    }
    if (checkpoint.origin === origin) return checkpoint
    throw invalidArgument(
      'options.checkpoint',
      `expected a checkpoint of ${JSON.stringify(origin)}, the issuer of this authority, got one of another`,
    )
  }
}

// The node that purged may have read another clock.
const SLACK_MS = 300_000
