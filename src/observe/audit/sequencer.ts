/**
 * The sequencer: appends pending rows to the tree and makes checkpoints. Every node runs one. No node leads: the size of
 * the tree decides which append wins, and the others append after it.
 *
 * @module
 */
import { randomInt } from 'node:crypto'
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import type { AuditHead, AuditLeaf, AuditRow, AuditStore } from '../../store/audit.js'
import type { StoreCall } from '../failures.js'
import { type AuditCheckpoint, checkpointOf } from './checkpoint.js'
import { agrees, eventOf } from './event.js'
import type { AuditTrail } from './trail.js'
import { CompactRange, hashesOf, leafHash } from './tree.js'
import type { AuditWitness, SeenCheckpoint } from './witness.js'

type Unsealed = 'tampered' | 'unknown'

/** The seals of the audit, see `keys/audit-tagger.ts`. */
export interface AuditSeals {
  check(id: string, body: string, tag: string): Promise<'intact' | Unsealed>
  place(
    id: string,
    place: { readonly index: number; readonly at: number; readonly hash: string },
  ): string | undefined
  openPlace(
    id: string,
    place: string,
  ): Promise<{ readonly index: number; readonly at: number; readonly hash: string } | Unsealed>
  state(range: {
    readonly size: number
    readonly hashes: readonly Uint8Array[]
  }): string | undefined
  openState(
    state: string,
  ): Promise<{ readonly size: number; readonly hashes: readonly Uint8Array[] } | Unsealed>
}

/** Options of the sequencer. */
export interface SequencerOptions {
  readonly store: AuditStore
  readonly call: StoreCall
  readonly clock: ResolvedClock
  readonly trail: AuditTrail
  readonly seals: AuditSeals
  readonly witness: AuditWitness
  /** The origin line of checkpoints. */
  readonly origin: string
  readonly everyMs: number
  /** Publishes a checkpoint to the other nodes. Rejects if it is not certain that they will receive it. */
  readonly announce: (checkpoint: SeenCheckpoint) => Promise<unknown>
  /** Called with the text of each checkpoint that this node makes. */
  readonly onCheckpoint: ((text: string) => unknown) | undefined
  /** Called with the id of each pending row that the authority has not written. */
  readonly onForged: (id: string) => void
}

const PAGE = 500
const MAX_RACES = 20

/** Appends the rows of one authority. */
export class Sequencer {
  readonly #options: SequencerOptions
  readonly #forged = new Set<string>()
  #range = new CompactRange()
  #running: Promise<AuditCheckpoint> | undefined
  #timer: Timer | undefined
  #stopped = false

  constructor(options: SequencerOptions) {
    this.#options = options
  }

  /** The size of the tree when this node last read or extended it. */
  get size(): number {
    return this.#range.size
  }

  /** Appends at the interval from now on. */
  start(): void {
    const { clock, everyMs } = this.#options
    if (this.#stopped) return
    // Spread, so that the nodes of a fleet do not append at once.
    const delay = Math.max(1, Math.round((everyMs * randomInt(900, 1001)) / 1000))
    this.#timer = clock.setTimer(() => {
      if (this.#stopped) return
      // An outage only defers it to the next run.
      void this.run()
        .catch(() => undefined)
        .finally(() => this.start())
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
    const { trail, witness, origin } = this.#options
    await trail.flush()
    await this.#catchUp(await this.#head())
    const isMade = await this.#appendPending()
    const checkpoint = checkpointOf(origin, this.#range.size, this.#range.root())
    const { largest } = witness
    const isNews = checkpoint.size > largest.size
    witness.see(checkpoint)
    if (isMade || isNews) await this.#publish(checkpoint)
    return checkpoint
  }

  async #publish(checkpoint: AuditCheckpoint): Promise<void> {
    const { announce, onCheckpoint } = this.#options
    try {
      onCheckpoint?.(checkpoint.text)
    } catch {
      // The error of a listener must not keep the checkpoint from the other nodes.
    }
    await announce(checkpoint).catch(noop)
  }

  #head(): Promise<AuditHead> {
    const { store, call } = this.#options
    return call(() => store.head())
  }

  /** Brings the compact range to the head of the store. */
  async #catchUp({ size, state }: AuditHead): Promise<void> {
    if (size === this.#range.size) return
    const opened = await this.#options.seals.openState(state)
    if (
      typeof opened !== 'string' &&
      opened.size === size &&
      opened.hashes.length === hashesOf(size)
    ) {
      this.#range = new CompactRange(size, opened.hashes)
      return
    }
    this.#range = await this.#recompute(size)
  }

  // The state was edited, or sealed with a key that is no longer stored.
  async #recompute(size: number): Promise<CompactRange> {
    const { store, call } = this.#options
    const range = new CompactRange()
    while (range.size < size) {
      const entries = await call(() => store.read(range.size, PAGE))
      if (entries.length === 0) break
      for (const { hash } of entries.slice(0, size - range.size))
        range.append(Buffer.from((hash ?? '').padEnd(64, '0'), 'hex'))
    }
    // Rows are missing. Placeholders keep the size; the checks name what is wrong.
    while (range.size < size) range.append(leafHash(''))
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
          await this.#catchUp(await this.#head())
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
    const genuine: AuditRow[] = []
    for (const row of rows) {
      const integrity = await checkRow(this.#options.seals, row)
      if (integrity === 'intact') genuine.push(row)
      else if (integrity === 'tampered' && !this.#forged.has(row.id)) {
        this.#forged.add(row.id)
        this.#options.onForged(row.id)
      }
    }
    return genuine
  }

  /** Appends rows. Resolves with whether the tree still had the expected size; `undefined` if no key is loaded. */
  async #append(rows: readonly AuditRow[]): Promise<boolean | undefined> {
    const { store, call, seals } = this.#options
    const range = this.#range.copy()
    const leaves: AuditLeaf[] = []
    for (const { id, at, body } of rows) {
      const leaf = leafHash(body)
      const hash = leaf.toString('hex')
      const place = seals.place(id, { index: range.size, at, hash })
      if (place === undefined) return undefined
      leaves.push({ id, hash, place })
      range.append(leaf)
    }
    const state = seals.state(range)
    if (state === undefined) return undefined
    const { size } = this.#range
    if (!(await call(() => store.append(size, leaves, state), 'audit'))) return false
    this.#range = range
    return true
  }
}

/** Whether the authority wrote this row as it is. */
export async function checkRow(
  seals: Pick<AuditSeals, 'check'>,
  row: AuditRow,
): Promise<'intact' | Unsealed> {
  const event = eventOf(row.id, row.body)
  if (event === undefined || !agrees(row, event)) return 'tampered'
  return seals.check(row.id, row.body, row.tag)
}

function noop(): void {}
