/**
 * The store that the nodes of a world share. Its replies are delayed or missing.
 *
 * @module
 */

import type { RestrictedEntry, RevocationEntry } from '../../src/revocation/index/entries.js'
import type { RevocationIndex } from '../../src/revocation/index/revocation-index.js'
import { type Owner, START, type Time } from './time.js'

// The timeout of a node for a reply that does not arrive.
const HANG_MS = 600

interface Row {
  readonly arrival: number
  readonly entry: RevocationEntry
  /** When it was made, on the clock of the node that made it. */
  readonly at: number
}

/** The properties of a store. */
export interface StoreOptions {
  /** Whether it outlives its processes. */
  readonly durable: boolean
  /** Whether it has a clock of its own (`now`). */
  readonly hasClock: boolean
}

/** Rows of revocations and of rotations, in the order in which they arrived, and the ids of keys. */
export class SharedStore {
  readonly durable: boolean
  readonly hasClock: boolean
  isDown = false
  /** The processes that get no reply: either an error at once, or a timeout. */
  readonly deafTo = new Map<Owner, 'fails' | 'hangs'>()
  /** The ids of the keys, oldest first. */
  readonly keys: string[] = []
  readonly #time: Time
  #rows: readonly Row[] = []
  readonly #revisions = new Map<string, number>()
  #arrivals = 0

  constructor(time: Time, { durable, hasClock }: StoreOptions) {
    this.#time = time
    this.durable = durable
    this.hasClock = hasClock
  }

  /** Waits for a reply on behalf of a process. Rejects while the store is down. */
  async ask(owner: Owner): Promise<void> {
    const state = this.deafTo.get(owner)
    await this.#time.sleep(state === 'hangs' ? HANG_MS : 2, owner)
    if (this.isDown || state !== undefined) throw new Error('the store is down')
  }

  /** The time of its own clock, in Unix milliseconds. */
  get now(): number {
    return START + this.#time.now
  }

  /** The cursor after everything that has arrived. */
  get cursor(): string {
    return String(this.#arrivals)
  }

  /** Stores a revocation or a rotation that was made at that time. */
  keep(entry: RevocationEntry, at: number): void {
    this.#rows = [...this.#rows, { arrival: ++this.#arrivals, entry, at }]
  }

  /** The last revision of a subject's register; 0 if it has none. */
  revisionOf(subject: string): number {
    return this.#revisions.get(subject) ?? 0
  }

  /** Stores the next revision of a register, by compare-and-set. Returns whether it did. */
  write(entry: RestrictedEntry, at: number): boolean {
    if (this.revisionOf(entry.value) !== entry.revision - 1) return false
    this.#revisions.set(entry.value, entry.revision)
    this.keep(entry, at)
    return true
  }

  /** Loads everything that arrived after the cursor into an index. */
  readAfter(cursor: string, into: RevocationIndex): void {
    for (const { arrival, entry } of this.#rows) if (arrival > Number(cursor)) into.apply(entry)
  }

  /** Loads the revocations since a time on the clocks of the nodes into an index. */
  readSince(since: number, into: RevocationIndex): void {
    for (const { entry, at } of this.#rows)
      if (at >= since && entry.kind !== 'rotated') into.apply(entry)
  }

  /** Removes entries whose tokens had all expired at that time. */
  purge(before: number): void {
    this.#rows = this.#rows.filter(({ entry }) => entry.expiresAt >= before)
  }
}
