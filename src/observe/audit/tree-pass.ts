/**
 * One pass over the tree of the audit, from its first row to its last: recomputes the tree and finds the first fault.
 *
 * @module
 */
import type { AuditEntry, AuditStore } from '../../store/audit.js'
import type { StoreCall } from '../failures.js'
import { AuditTree } from './audit-tree.js'
import { idOf, parseEntry } from './entries.js'
import type { AuditFault } from './fault.js'
import type { ReadCheckpoint } from './newest.js'
import { RowChecks } from './row-checks.js'
import { type AuditSeals, isTimed } from './seals.js'
import type { SeenCheckpoint } from './witness.js'

/** Options of a pass. */
export interface TreePassOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  readonly seals: AuditSeals
  /** The known checkpoints, by ascending size. */
  readonly anchors: readonly SeenCheckpoint[]
  /** The newest checkpoint of the store. */
  readonly head: ReadCheckpoint
  /** Content of rows up to this time may have been purged. */
  readonly purgedUntil: number
}

const PAGE = 1000
// Checks take a few microseconds a row, so that the event loop is held for a few milliseconds at most.
const ROWS_A_TURN = 200

/** A row of the tree. */
interface Place {
  readonly index: number
  readonly id: string
}

/** One pass over the tree. */
export class TreePass {
  readonly #options: TreePassOptions
  readonly #checks: RowChecks
  readonly #range = new AuditTree()
  readonly #anchors: SeenCheckpoint[]
  /** The first row since the last checkpoint whose seals cannot be opened: only a checkpoint proves it. */
  #unproved: Place | undefined
  /** The first row since the last one that is proved by its seals. */
  #unprovedRun: Place | undefined
  /** A row that no key proves and a checkpoint contradicts, until the rows after it show whether it was inserted. */
  #contradicted: AuditFault | undefined
  /** The first row without content that passes for one of an earlier version: only a later row proves that it is. */
  #untimed: Place | undefined
  /** The number of rows that a checkpoint proves. */
  anchoredTo = 0

  constructor(options: TreePassOptions) {
    this.#options = options
    this.#checks = new RowChecks(options)
    this.#anchors = options.anchors.filter(({ size }) => size > 0)
  }

  /** The number of rows of the tree that were read. */
  get size(): number {
    return this.#range.size
  }

  /** Reads all rows. Resolves with the first fault. */
  async run(): Promise<AuditFault | undefined> {
    let next = this.#read(0)
    for (;;) {
      const page = await next
      const isLast = page.length < PAGE || this.#range.size > this.#options.head.size
      // Read during the checks, which need no database.
      if (!isLast) next = this.#read(this.#range.size + PAGE)
      // It may fail during the checks, before it is awaited, or never be awaited.
      next.catch(() => undefined)
      const fault = await this.#page(page)
      if (fault !== undefined) return fault
      if (isLast) break
    }
    if (this.#contradicted !== undefined) return this.#contradicted
    if (this.#untimed !== undefined) return edited(this.#untimed)
    // A checkpoint of a larger tree: the last rows were cut off, or an older copy was restored.
    return this.#anchors.length === 0 ? this.#unprovedTail() : missing(this.#range.size)
  }

  // Rows of before a long outage may have lost their keys, as the checkpoint after them has then.
  #unprovedTail(): AuditFault | undefined {
    const { range, isUnreadable } = this.#options.head
    const isAnchored = this.anchoredTo > 0 || range !== undefined
    if (this.#unproved === undefined || isUnreadable || !isAnchored) return undefined
    return { ...this.#unproved, what: 'inserted' }
  }

  #read(from: number): Promise<readonly AuditEntry[]> {
    const { store, call } = this.#options
    return call(() => store.read(from, PAGE))
  }

  async #page(page: readonly AuditEntry[]): Promise<AuditFault | undefined> {
    await this.#checks.load(page)
    let turn = 0
    for (const value of page) {
      const fault = this.#entry(value) ?? this.#anchor()
      if (fault !== undefined) return fault
      if (++turn % ROWS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    return undefined
  }

  #entry(value: unknown): AuditFault | undefined {
    const index = this.#range.size
    const entry = parseEntry(value)
    if (entry === undefined) return { index, id: idOf(value) ?? null, what: 'edited' }
    const { id, at, row } = entry
    const [hash, place] = [entry.hash as string, entry.place as string]
    const found = this.#checks.check(entry, this.#range)
    if (found === 'missing') return missing(index)
    if (found === 'pushed') {
      // By the rows before it that no key proves, or by those that were moved.
      const by = this.#unprovedRun ?? { index, id }
      return { ...by, what: this.#unprovedRun === undefined ? 'moved' : 'inserted' }
    }
    if (this.#contradicted !== undefined && found !== 'unproved') return this.#contradicted
    if (found === 'recounted') return edited(this.#untimed ?? this.#unproved ?? { index, id })
    const isUntimed = row === null && !isTimed(place)
    if (found === 'edited' && isUntimed) return edited(this.#untimed ?? { index, id })
    if (found === 'unproved') {
      this.#unproved ??= { index, id }
      this.#unprovedRun ??= { index, id }
      if (isUntimed) this.#untimed ??= { index, id }
    } else if (found !== undefined) return { index, id, what: found }
    else {
      this.#unprovedRun = undefined
      if (isTimed(place)) this.#untimed = undefined
    }
    this.#range.appendStored({ at, hash, place })
    return undefined
  }

  /** Compares the tree with the checkpoints of its present size. */
  #anchor(): AuditFault | undefined {
    const { size } = this.#range
    if (this.#contradicted !== undefined) return undefined
    while (this.#anchors[0]?.size === size) {
      const anchor = this.#anchors.shift() as SeenCheckpoint
      if (anchor.root !== this.#range.root()) {
        const unproved = this.#untimed ?? this.#unproved
        // If every row is genuine, these are not the rows that were here: those were removed, and others appended.
        if (unproved === undefined) return missing(this.anchoredTo)
        this.#contradicted = edited(unproved)
        return undefined
      }
      if (this.#range.untimed < size) this.#untimed = undefined
      this.anchoredTo = size
      this.#checks.appendedAfter(anchor.seenAt)
      this.#unproved = undefined
    }
    return undefined
  }
}

function edited(place: Place): AuditFault {
  return { ...place, what: 'edited' }
}

function missing(index: number): AuditFault {
  return { index, id: null, what: 'missing' }
}
