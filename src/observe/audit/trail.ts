/**
 * The audit trail of one authority: makes the rows that are written with changes, publishes events, and keeps what could
 * not be written in memory until it can.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import { bare } from '../../lib/fields.js'
import { Recent } from '../../lib/recent.js'
import type { AuditRow, AuditStore } from '../../store/audit.js'
import { type AuditEvent, audits } from '../channels.js'
import type { StoreCall } from '../failures.js'
import { bodyOf, columnsOf, foundId } from './event.js'
import { OwnRows } from './own-rows.js'

/** An event as the caller describes it. */
export type AuditContent = Omit<AuditEvent, 'v' | 'at' | 'issuer'>

/** An event that may still fail, and its rows. */
export interface AuditDraft {
  /** The id of its row. */
  readonly id: string
  readonly event: AuditEvent
  /** For the store; `undefined` if it keeps none. */
  readonly rows: readonly AuditRow[] | undefined
}

/** Options of the trail. */
export interface AuditTrailOptions {
  readonly clock: ResolvedClock
  readonly issuer: string
  /** Where the audit is kept; `undefined` if it is not. */
  readonly store: AuditStore | undefined
  readonly call: StoreCall
  readonly newId: (time: number) => string
}

/** Computes the tag of a row; `undefined` while no key is loaded. */
export type TagMaker = (id: string, body: string) => string | undefined

/** An event whose row could not be written yet. The row has a tag, if there was a key for it. */
interface Waiting {
  readonly event: AuditEvent
  readonly row: AuditRow | undefined
}

/** How long a repeated event about the same thing is not kept again, and of how many things this is remembered. */
const REPEAT_MS = 3_600_000
const MAX_NOTED = 10_000

/** The maximum number of rows that wait in memory for the store. */
const MAX_WAITING = 10_000
const BATCH = 500

/** The audit trail of one authority. */
export class AuditTrail {
  /** The rows that this node has written. */
  readonly own: OwnRows
  readonly #options: AuditTrailOptions
  #tag: TagMaker = () => undefined
  readonly #waiting = new Map<string, Waiting>()
  readonly #noted = new Recent<number>(MAX_NOTED)
  #writing: Promise<void> | undefined
  #lost = 0

  constructor(options: AuditTrailOptions) {
    const { store, call } = options
    this.own = new OwnRows(store && ((ids) => call(() => store.locate(ids))))
    this.#options = options
  }

  /** Sets the maker of tags. Until then, events wait in memory. */
  sealWith(tag: TagMaker): void {
    this.#tag = tag
    if (this.#waiting.size > 0) void this.flush()
  }

  /** Whether the audit is kept. */
  get isKept(): boolean {
    return this.#options.store !== undefined
  }

  /** The number of rows that wait in memory for the store. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The number of rows that were dropped because too many waited. */
  get lost(): number {
    return this.#lost
  }

  /** Makes the event and the rows of a change that is about to be written. */
  draft(content: AuditContent): AuditDraft {
    const { clock, issuer, newId } = this.#options
    const event: AuditEvent = { v: 1, at: clock.reading(), issuer, ...content }
    if (!this.isKept) return { id: '', event, rows: undefined }
    const id = newId(event.at)
    const row = this.#rowOf(id, event)
    return { id, event, rows: row === undefined ? undefined : [row] }
  }

  /**
   * Publishes the event of a change that was written. Keeps its row, if that could not be written with it.
   *
   * @param isCertain - Whether the store is known to have written the row, because the change did change something.
   */
  written(draft: AuditDraft, isCertain = true): void {
    if (draft.rows === undefined) this.keep(draft)
    else if (isCertain) this.own.add(draft.id)
    this.publish(draft)
  }

  /** Publishes an event on the audit channel. */
  publish({ event }: AuditDraft): void {
    if (audits.hasSubscribers) audits.publish(event)
  }

  /** Writes the row of an event as soon as the store accepts it. */
  keep({ id, event, rows }: AuditDraft): void {
    if (!this.isKept) return
    if (this.#waiting.size >= MAX_WAITING) this.#lost++
    else this.#waiting.set(id, { event, row: rows?.[0] ?? this.#rowOf(id, event) })
    void this.flush()
  }

  /** Publishes and keeps an event that is no change of the store. */
  note(content: AuditContent): void {
    if (!this.isKept && !audits.hasSubscribers) return
    const draft = this.draft(content)
    this.keep(draft)
    this.publish(draft)
  }

  /**
   * Publishes an event that a caller can cause again and again, such as the use of one token. It is kept once an hour for
   * each `key`, so that no caller can fill the store.
   */
  noteOnce(key: string, given: AuditContent): void {
    const { id } = bare(given)
    const content = id === undefined ? given : { ...given, id: foundId(id) }
    const now = this.#options.clock.monotonic()
    const name = `${content.action} ${foundId(key)}`
    const isRepeated = now - (this.#noted.get(name) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS
    if (!isRepeated) {
      this.#noted.set(name, now)
      this.note(content)
    } else if (audits.hasSubscribers) this.publish(this.draft(content))
  }

  /** Writes the rows that wait. Never rejects: they wait on if the store fails. */
  flush(): Promise<void> {
    this.#writing ??= this.#flush()
      .catch(() => undefined)
      .finally(() => {
        this.#writing = undefined
      })
    return this.#writing
  }

  async #flush(): Promise<void> {
    const { store, call } = this.#options
    // Includes everything that the caller notes in the same tick.
    await Promise.resolve()
    while (store !== undefined && this.#waiting.size > 0) {
      const waiting = [...this.#waiting].slice(0, BATCH)
      const rows = waiting.flatMap(([id, { event, row }]) => row ?? this.#rowOf(id, event) ?? [])
      if (rows.length === 0) return
      await call(() => store.write(rows), 'audit')
      for (const { id } of rows) {
        this.#waiting.delete(id)
        this.own.add(id)
      }
    }
  }

  #rowOf(id: string, event: AuditEvent): AuditRow | undefined {
    const body = bodyOf(id, event)
    const tag = this.#tag(id, body)
    return tag === undefined ? undefined : { id, ...columnsOf(event), body, tag }
  }
}

/** The rows of several drafts; `undefined` if one of them has none. */
export function rowsOf(drafts: readonly AuditDraft[]): readonly AuditRow[] | undefined {
  const rows: AuditRow[] = []
  for (const draft of drafts) {
    if (draft.rows === undefined) return undefined
    rows.push(...draft.rows)
  }
  return rows
}
