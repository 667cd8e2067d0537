/**
 * A table of token ids on a typed array. An id takes about 20 bytes, compared to 80 in a `Set` of strings.
 *
 * Open addressing with linear probing. A slot has the four words of an id, compared in full, and the payload words; a
 * free slot is all zeros, so the id of all zeros cannot be held. Insertion places an id before the first one whose last
 * word is lower and moves that one on. A lookup can therefore stop at the first lower one: a miss costs no more than a
 * hit, however full the table.
 *
 * @see Amble and Knuth, "Ordered hash tables", The Computer Journal 17(2), 1974
 * @module
 */
import { randomBytes } from 'node:crypto'

/**
 * Places ids: for each of the 16 bytes of an id, a random word for each value of the byte. An attacker who does not
 * know the words cannot choose ids that collide, and ids that differ in one bit are far apart.
 */
export type Placing = Int32Array

const PLACING_WORDS = 16 * 256

/**
 * Creates a placing. Each index has its own: ids in the table order of another index, like those of a snapshot, would
 * otherwise all collide near the beginning of a new table.
 */
export function newPlacing(): Placing {
  return new Int32Array(new Uint8Array(randomBytes(4 * PLACING_WORDS)).buffer)
}

/** The place of the id in the four words from `at` on: 32 bits, with the most significant first. */
export function placeOf(placing: Placing, words: Int32Array, at: number): number {
  let place = 0
  for (let i = 0; i < 4; i++) {
    const word = words[at + i] as number
    const base = i << 10
    place ^=
      (placing[base | (word >>> 24)] as number) ^
      (placing[base | 0x100 | ((word >>> 16) & 0xff)] as number) ^
      (placing[base | 0x200 | ((word >>> 8) & 0xff)] as number) ^
      (placing[base | 0x300 | (word & 0xff)] as number)
  }
  return place
}

/** Whether the slot from `at` on is free, or holds the id of all zeros. */
export function isFree(words: Int32Array, at: number): boolean {
  // The last word of an id is random, so it alone decides nearly always.
  return words[at + 3] === 0 && words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0
}

/** Options of a table. */
export interface IdTableOptions {
  readonly placing: Placing
  /** Words of a slot: 4 for the id, plus the payload. */
  readonly stride: number
  /** The number of leading bits that the places of all ids share. */
  readonly shared: number
}

const MAX_LOAD = 0.9
// Grows in small steps, so little space is unused: moving ids within a small table is cheap. The step is 10 to 20 %, so
// tables that fill at one rate do not all grow at once.
const LEAST_GROWTH = 1.1
const GROWTH_STEPS = 256
const LEAST_SLOTS = 8

// The initial slots of all tables: free, for any stride.
const NOTHING = new Int32Array(12)

/** One table. */
export class IdTable {
  readonly #placing: Placing
  readonly #stride: number
  #words = NOTHING
  #slots = 1
  #room = 0
  /** The number of leading bits that the places of all ids share. */
  readonly shared: number
  /** The number of ids. */
  size = 0

  constructor({ placing, stride, shared }: IdTableOptions) {
    this.#placing = placing
    this.#stride = stride
    this.shared = shared
  }

  /** All slots in order. */
  get words(): Int32Array {
    return this.#words
  }

  /** The memory used by the slots, in bytes. */
  get bytes(): number {
    return this.#words === NOTHING ? 0 : this.#words.byteLength
  }

  /** The start of the slot of an id, or -1. */
  find(id: Int32Array, place: number): number {
    const words = this.#words
    const last = lastOf(id, 0)
    let at = this.#start(place)
    for (;;) {
      const found = lastOf(words, at)
      if (found < last) return -1
      if (found === last) {
        // Checked first, so the id of all zeros is not found in a free slot.
        if (isFree(words, at)) return -1
        if (hasId(words, at, id)) return at
      }
      at += this.#stride
      if (at === words.length) at = 0
    }
  }

  /** Whether adding one more id grows the table. */
  get crowded(): boolean {
    return this.size >= this.#room
  }

  /** Adds the id and payload in `from` at `start`. The id must not be in the table yet. */
  add(from: Int32Array, start: number, place: number): void {
    if (this.crowded) {
      const growth = LEAST_GROWTH + (0.1 * (place & (GROWTH_STEPS - 1))) / GROWTH_STEPS
      this.#resize(Math.ceil(Math.max(this.#slots + LEAST_SLOTS, this.#slots * growth)))
    }
    this.size++
    this.#copy(from, start, place)
  }

  #start(place: number): number {
    // A multiplication maps places to slots, so the number of slots need not be a power of two.
    const rest = (place << this.shared) >>> 0
    return Math.floor((rest * this.#slots) / 0x1_0000_0000) * this.#stride
  }

  /** Makes room for a total of this many ids. */
  reserve(ids: number): void {
    this.#resize(Math.ceil(ids / MAX_LOAD) + 1)
  }

  #resize(slots: number): void {
    const old = this.#words
    this.#slots = slots
    this.#room = Math.floor(slots * MAX_LOAD)
    this.#words = new Int32Array(slots * this.#stride)
    for (let at = 0; at < old.length; at += this.#stride) {
      if (!isFree(old, at)) this.#copy(old, at, placeOf(this.#placing, old, at))
    }
  }

  #copy(from: Int32Array, start: number, place: number): void {
    const words = this.#words
    const stride = this.#stride
    for (let i = 0; i < stride; i++) carried[i] = from[start + i] as number
    let at = this.#start(place)
    while (!isFree(words, at)) {
      if (lastOf(words, at) < lastOf(carried, 0)) swap(words, at, stride)
      at += stride
      if (at === words.length) at = 0
    }
    for (let i = 0; i < stride; i++) words[at + i] = carried[i] as number
  }
}

/** The slot being moved. Shared by all tables: used within one call, which runs no foreign code. */
const carried = new Int32Array(8)

function swap(words: Int32Array, at: number, stride: number): void {
  for (let i = 0; i < stride; i++) {
    const word = words[at + i] as number
    words[at + i] = carried[i] as number
    carried[i] = word
  }
}

/** The last word of an id as a non-negative number: random, and lowest for a free slot. */
const lastOf = (words: Int32Array, at: number): number => (words[at + 3] as number) >>> 0

function hasId(words: Int32Array, at: number, id: Int32Array): boolean {
  return (
    words[at] === id[0] &&
    words[at + 1] === id[1] &&
    words[at + 2] === id[2] &&
    words[at + 3] === id[3]
  )
}
