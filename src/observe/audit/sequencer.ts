/**
 * The sequencer: appends pending rows to the tree and makes checkpoints. Every node runs one. No node leads: the size of
 * the tree decides which append wins, and the others append after it.
 *
 * @module
 */
import { randomInt } from 'node:crypto'
import { types } from 'node:util'
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import type { AuditLeaf, AuditRow, AuditStore } from '../../store/audit.js'
import type { StoreCall } from '../failures.js'
import { AuditTree } from './audit-tree.js'
import { type AuditCheckpoint, checkpointOf } from './checkpoint.js'
import { isCount, isRow } from './entries.js'
import { ForgedRows } from './forged.js'
import type { NewestCheckpoint, ReadCheckpoint } from './newest.js'
import type { OwnRows } from './own-rows.js'
import { type AuditSeals, checkRow, MAX_SIZE } from './seals.js'
import type { AuditTrail } from './trail.js'
import { bodyHash, leafHash } from './tree.js'
import type { AuditWitness } from './witness.js'

/** Options of the sequencer. */
export interface SequencerOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  readonly clock: ResolvedClock
  readonly trail: AuditTrail
  readonly seals: AuditSeals
  readonly witness: AuditWitness
  readonly newest: NewestCheckpoint
  readonly own: OwnRows
  /** The origin line of checkpoints. */
  readonly origin: string
  readonly everyMs: number
  /** Called with the text of each checkpoint that this node makes or learns of. */
  readonly onCheckpoint: ((text: string) => unknown) | undefined
  /** Called with the id of each pending row that the authority has not written. */
  readonly onForged: (id: string) => void
  /** Called with the number of pending rows of this node that were deleted. */
  readonly onDeleted: (count: number) => void
}

const PAGE = 500
const MAX_RACES = 20

/** Appends the rows of one authority. */
export class Sequencer {
  readonly #options: SequencerOptions
  readonly #forged: ForgedRows
  #range = new AuditTree()
  #running: Promise<AuditCheckpoint> | undefined
  #timer: Timer | undefined
  #stopped = false

  constructor(options: SequencerOptions) {
    this.#options = options
    this.#forged = new ForgedRows(options.onForged)
  }

  /** The size of the tree when this node last read or extended it. */
  get size(): number {
    return this.#range.size
  }

  /** Appends at the interval from now on. Reads the newest checkpoint at once, so that this node can witness it. */
  start(): void {
    this.#schedule()
    void this.#options.newest.read().catch(noop)
  }

  #schedule(): void {
    const { clock, everyMs } = this.#options
    if (this.#stopped) return
    // Spread, so that the nodes of a fleet do not append at once.
    const delay = Math.max(1, Math.round((everyMs * randomInt(900, 1000)) / 1000))
    this.#timer = clock.setTimer(() => {
      if (this.#stopped) return
      // An outage only defers it to the next run.
      void this.run()
        .catch(noop)
        .finally(() => this.#schedule())
    }, delay)
  }

  /** Stops appending. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /**
   * Appends every pending row and resolves with the checkpoint of the tree. One run at a time: a call during a run
   * resolves with the run that follows it.
   */
  run(): Promise<AuditCheckpoint> {
    const earlier = this.#running
    const running =
      earlier === undefined ? this.#run() : earlier.then(noop, noop).then(() => this.#run())
    this.#running = running
    const end = () => {
      if (this.#running === running) this.#running = undefined
    }
    running.then(end, end)
    return running
  }

  async #run(): Promise<AuditCheckpoint> {
    const { trail, witness, newest, origin, own } = this.#options
    await trail.flush()
    this.#forged.begin()
    const { largest } = witness
    const head = await newest.read()
    await this.#catchUp(head)
    const written = own.ids
    const isMade = await this.#appendPending()
    const checkpoint = checkpointOf(origin, this.#range.size, this.#range.root())
    // One that was not sealed says what an attacker wants. The next append seals it.
    const isNews = head.range !== undefined && checkpoint.size > largest.size
    if (isMade || isNews) this.#handOver(checkpoint)
    const deleted = await own.look(written)
    if (deleted > 0) this.#options.onDeleted(deleted)
    return checkpoint
  }

  #handOver({ text }: AuditCheckpoint): void {
    try {
      const result = this.#options.onCheckpoint?.(text)
      // Through a new promise, because a subclass may run its own `then`.
      if (types.isPromise(result)) Promise.resolve(result).catch(noop)
    } catch {
      // The error of a listener must not end the run, or the process.
    }
  }

  /** Brings the compact range to the newest checkpoint. */
  async #catchUp({ size, range }: ReadCheckpoint): Promise<void> {
    if (range !== undefined) this.#range = range.copy()
    // An attacker may have written any number, also one that no tree can have.
    else if (size !== this.#range.size && isCount(size)) this.#range = await this.#recompute(size)
  }

  // The state was edited, or sealed with a key that is no longer stored.
  async #recompute(size: number): Promise<AuditTree> {
    const { store, call } = this.#options
    const range = new AuditTree()
    while (range.size < size) {
      const entries = await call(() => store.read(range.size, PAGE))
      if (entries.length === 0) break
      for (const { at, hash, place } of entries.slice(0, size - range.size))
        range.appendStored({ at, hash: (hash ?? '').padEnd(64, '0'), place: place ?? '' })
    }
    // Rows are missing. Placeholders keep the size; the checks name what is wrong.
    range.fill(leafHash(''), size)
    return range
  }

  /** Appends all pending rows. Resolves with whether there were any. */
  async #appendPending(): Promise<boolean> {
    let isMade = false
    let after: string | undefined
    for (let races = 0; races < MAX_RACES && !this.#stopped; ) {
      const pending = await this.#pendingAfter(after)
      const genuine = await this.#genuine(pending)
      if (genuine.length > 0) {
        const isDone = await this.#append(genuine)
        if (isDone === undefined) break
        if (!isDone) {
          races++
          await this.#catchUp(await this.#options.newest.read())
          continue
        }
        isMade = true
      }
      after = pending.at(-1)?.id
      if (pending.length < PAGE) break
    }
    return isMade
  }

  #pendingAfter(after: string | undefined): Promise<readonly AuditRow[]> {
    const { store, call } = this.#options
    return call(() =>
      store.listPending(after === undefined ? { limit: PAGE } : { limit: PAGE, after }),
    )
  }

  async #genuine(rows: readonly AuditRow[]): Promise<readonly AuditRow[]> {
    const { seals } = this.#options
    // A field of a row may have been removed, which must not end the run.
    await seals.load(rows.filter(isRow).map(({ tag }) => tag))
    const genuine: AuditRow[] = []
    for (const row of rows) {
      const integrity = isRow(row) ? checkRow(seals, row) : 'tampered'
      if (integrity === 'intact') genuine.push(row)
      else if (integrity === 'tampered') this.#forged.note(row.id)
    }
    return genuine
  }

  /**
   * Appends rows. Resolves with whether the tree still had the expected size; `undefined` if no key is loaded, or if no
   * tree has the size that the store states.
   */
  async #append(rows: readonly AuditRow[]): Promise<boolean | undefined> {
    const { store, call, seals, newest, own } = this.#options
    const range = this.#range.copy()
    if (range.size > MAX_SIZE - rows.length) return undefined
    const leaves: AuditLeaf[] = []
    for (const { id, at, body, tag } of rows) {
      const hash = bodyHash(body)
      const { size: index, untimed } = range
      const place = seals.place(id, { index, at, untimed, hash, tagHash: seals.tagHash(tag) })
      if (place === undefined) return undefined
      leaves.push({ id, hash, place })
      range.appendRow({ at, hash })
    }
    const state = seals.state(range)
    if (state === undefined) return undefined
    const { size } = this.#range
    if (!(await call(() => store.append(size, leaves, state), 'audit'))) return false
    this.#range = range
    newest.made(state, range)
    own.placed(leaves.map(({ id }) => id))
    return true
  }
}

function noop(): void {}
