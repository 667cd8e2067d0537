/**
 * The store that the nodes of a world share. It replies late, or not at all.
 *
 * @module
 */

import type { RevocationEntry } from '../../src/revocation/index/entries.js'
import type { RevocationIndex } from '../../src/revocation/index/revocation-index.js'
import { type Owner, START, type Time } from './time.js'

// How long a node waits for a reply that does not arrive.
const HANG_MS = 600

interface Row {
  readonly arrival: number
  readonly entry: RevocationEntry
  /** When it was made, by the clock of the node that made it. */
  readonly at: number
}

/** What a store is like. */
export interface StoreOptions {
  /** Whether it outlives its processes. */
  readonly durable: boolean
  /** Whether it tells the time. */
  readonly hasClock: boolean
}

/** Rows of revocations and of rotations, in the order in which they arrived, and the ids of keys. */
export class SharedStore {
  readonly durable: boolean
  readonly hasClock: boolean
  isDown = false
  /** The processes to which it does not reply, and whether it lets them wait. */
  readonly deafTo = new Map<Owner, 'fails' | 'hangs'>()
  /** The ids of the keys, oldest first. */
  readonly keys: string[] = []
  readonly #time: Time
  #rows: readonly Row[] = []
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

  /** The time by its own clock, in Unix milliseconds. */
  get now(): number {
    return START + this.#time.now
  }

  /** The place behind everything that has arrived. */
  get cursor(): string {
    return String(this.#arrivals)
  }

  /** Keeps a revocation or a rotation that was made at that time. */
  keep(entry: RevocationEntry, at: number): void {
    this.#rows = [...this.#rows, { arrival: ++this.#arrivals, entry, at }]
  }

  /** Puts into an index everything that arrived after the cursor. */
  readAfter(cursor: string, into: RevocationIndex): void {
    for (const { arrival, entry } of this.#rows) if (arrival > Number(cursor)) into.apply(entry)
  }

  /** Puts into an index what was revoked since a time by the clocks of the nodes. */
  readSince(since: number, into: RevocationIndex): void {
    for (const { entry, at } of this.#rows)
      if (at >= since && entry.kind !== 'rotated') into.apply(entry)
  }

  /** Removes what concerns nothing that lived at that time. */
  purge(before: number): void {
    this.#rows = this.#rows.filter(({ entry }) => entry.expiresAt >= before)
  }
}
