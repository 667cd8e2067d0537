/**
 * Verification of the audit: recomputes the tree from its rows, and compares it with the seals of the rows and with
 * every checkpoint that is known.
 *
 * @module
 */
import type { AuditEntry, AuditStore } from '../../store/audit.js'
import type { StoreCall } from '../failures.js'
import { isRow, parseEntry } from './entries.js'
import { agrees, eventOf } from './event.js'
import { type AuditSeals, checkRow } from './sequencer.js'
import { CompactRange, leafHash } from './tree.js'
import type { SeenCheckpoint } from './witness.js'

/** What is wrong with a row of the audit. */
export type AuditFaultKind =
  /** Its content is not the one that the authority wrote, or was removed before its time. */
  | 'edited'
  /** The authority wrote it, but at another place. */
  | 'moved'
  /** The authority did not write it. */
  | 'inserted'
  /** The row that was at this place is gone. */
  | 'missing'

/** The first row of the audit that is not as the authority wrote it. */
export interface AuditFault {
  /** The index in the tree, from 0; `null` for a row that has none yet. */
  readonly index: number | null
  /** The id of the row that is stored there; `null` if there is none. */
  readonly id: string | null
  readonly what: AuditFaultKind
}

/** The result of a verification. */
export interface AuditReport {
  /** Whether every row is as the authority wrote it, and no row is missing. */
  readonly ok: boolean
  /** The number of rows in the tree. */
  readonly size: number
  /**
   * The number of rows that a checkpoint proves: one that this node remembers, or the one that was passed. Rows after it
   * are proved by their seals only, which do not show whether the last of them were removed.
   */
  readonly anchoredTo: number
  /** The first fault; `null` if there is none. */
  readonly first: AuditFault | null
}

/** Options of a verification. */
export interface VerifyAuditOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  readonly seals: AuditSeals
  /** The known checkpoints, by ascending size. */
  readonly anchors: readonly SeenCheckpoint[]
  /** Content of rows up to this time may have been purged. */
  readonly purgedUntil: number
}

const PAGE = 1000

/** Verifies the whole audit with bounded memory. Rejects like the store. */
export async function verifyAudit(options: VerifyAuditOptions): Promise<AuditReport> {
  const { store, call } = options
  const { size } = await call(() => store.head())
  const pass = new Pass(options)
  const first = (await pass.tree(size)) ?? (await firstForged(options))
  return Object.freeze({
    ok: first === undefined,
    size,
    anchoredTo: pass.anchoredTo,
    first: first === undefined ? null : Object.freeze(first),
  })
}

/** One pass over the tree. */
class Pass {
  readonly #options: VerifyAuditOptions
  readonly #range = new CompactRange()
  readonly #anchors: SeenCheckpoint[]
  anchoredTo = 0

  constructor(options: VerifyAuditOptions) {
    this.#options = options
    this.#anchors = options.anchors.filter(({ size }) => size > 0)
  }

  async tree(size: number): Promise<AuditFault | undefined> {
    const { store, call } = this.#options
    while (this.#range.size < size) {
      const from = this.#range.size
      const page = await call(() => store.read(from, Math.min(PAGE, size - from)))
      for (const entry of page.slice(0, size - from)) {
        const fault = (await this.#entry(entry)) ?? this.#anchor()
        if (fault !== undefined) return fault
      }
      if (page.length === 0) return { index: from, id: null, what: 'missing' }
    }
    // A checkpoint of a larger tree: the last rows were cut off, or an older copy was restored.
    return this.#anchors.length === 0 ? undefined : { index: size, id: null, what: 'missing' }
  }

  async #entry(value: unknown): Promise<AuditFault | undefined> {
    const index = this.#range.size
    const entry = parseEntry(value)
    if (entry === undefined) {
      const id: unknown = (value as { readonly id?: unknown } | null)?.id
      return { index, id: typeof id === 'string' ? id : null, what: 'edited' }
    }
    const { id, hash } = entry
    const what = await this.#faultOf(entry, index)
    if (what !== undefined) return { index, id: what === 'missing' ? null : id, what }
    this.#range.append(Buffer.from(hash as string, 'hex'))
    return undefined
  }

  async #faultOf(
    { id, at, index, hash, place, row }: AuditEntry,
    expected: number,
  ): Promise<AuditFaultKind | undefined> {
    if (index === null || index < expected) return 'inserted'
    if (index > expected) return 'missing'
    const { seals, purgedUntil } = this.#options
    const sealed = await seals.openPlace(id, place as string)
    const tag = row === null ? 'unknown' : await seals.check(id, row.body, row.tag)
    // A row that the authority wrote, but whose place it did not seal.
    if (sealed === 'tampered') return tag === 'intact' ? 'moved' : 'inserted'
    if (typeof sealed !== 'string') {
      if (sealed.index !== index) return 'moved'
      if (sealed.hash !== hash || sealed.at !== at) return 'edited'
    }
    if (row === null) return at > purgedUntil ? 'edited' : undefined
    if (tag === 'tampered' || row.id !== id || row.at !== at) return 'edited'
    if (leafHash(row.body).toString('hex') !== hash) return 'edited'
    const event = eventOf(id, row.body)
    return event !== undefined && agrees(row, event) ? undefined : 'edited'
  }

  /** Compares the tree with the checkpoints of its present size. */
  #anchor(): AuditFault | undefined {
    const { size } = this.#range
    while (this.#anchors[0]?.size === size) {
      const anchor = this.#anchors.shift() as SeenCheckpoint
      // Every row is genuine, but these are not the rows that were here: those were removed, and others appended.
      if (anchor.root !== this.#range.root())
        return { index: this.anchoredTo, id: null, what: 'missing' }
      this.anchoredTo = size
    }
    return undefined
  }
}

/** The first pending row that the authority did not write. */
async function firstForged({
  store,
  call,
  seals,
}: VerifyAuditOptions): Promise<AuditFault | undefined> {
  let after: string | undefined
  for (;;) {
    const page = after === undefined ? { limit: PAGE } : { limit: PAGE, after }
    const rows = await call(() => store.listPending(page))
    for (const row of rows) {
      if (!isRow(row)) return { index: null, id: null, what: 'edited' }
      if ((await checkRow(seals, row)) === 'tampered')
        return { index: null, id: row.id, what: 'inserted' }
    }
    after = rows.at(-1)?.id
    if (rows.length < PAGE || after === undefined) return undefined
  }
}
