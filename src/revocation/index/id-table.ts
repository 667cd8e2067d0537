/**
 * A table of token ids on a typed array: nothing but the ids and what comes with them, so that an id takes some 20
 * bytes where a `Set` of texts takes 80.
 *
 * Open addressing with linear probing. A slot is the four words of an id, compared in full, and as many words of
 * payload; a free one is all zeros, so the id of all zeros cannot be held. On its way past other ids an id is put before
 * the first one whose last word is lower, and that one moves on. So whoever looks for an id can stop at the first lower
 * one: an id that is not there costs no more than one that is, however full the table.
 *
 * @see Amble and Knuth, "Ordered hash tables", The Computer Journal 17(2), 1974
 * @module
 */
import { randomBytes } from 'node:crypto'

/**
 * Says where ids belong: for each of the 16 bytes of an id, a random word for each value that it can have. Nobody who
 * does not know the words can choose ids that belong in one place, and ids that differ in a bit are far apart.
 */
export type Placing = Int32Array

const PLACING_WORDS = 16 * 256

/**
 * Makes a placing. Each index has one of its own: ids that come in the order of another one's tables, as those of a
 * snapshot do, would all belong near the beginning of a table that has just begun to grow, and be in each other's way.
 */
export function newPlacing(): Placing {
  return new Int32Array(new Uint8Array(randomBytes(4 * PLACING_WORDS)).buffer)
}

/** Where the id in the four words from `at` on belongs: 32 bits, of which the highest count most. */
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

/** Whether the slot from `at` on is free, or the id there the one that cannot be held. */
export function isFree(words: Int32Array, at: number): boolean {
  // The last word of an id is random, so it alone tells nearly always.
  return words[at + 3] === 0 && words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0
}

/** What a table is made of. */
export interface IdTableOptions {
  readonly placing: Placing
  /** Words of a slot: 4 for the id, and those of the payload. */
  readonly stride: number
  /** How many of the highest bits of a place all its ids have in common. */
  readonly shared: number
}

const MAX_LOAD = 0.9
// By little, so that little is empty: moving ids within a small table is cheap. By 10 to 20 %, so that tables which fill
// at one pace do not all grow at once.
const LEAST_GROWTH = 1.1
const GROWTH_STEPS = 256
const LEAST_SLOTS = 8

// What all tables begin with: free slots, of whatever stride.
const NOTHING = new Int32Array(12)

/** One table. */
export class IdTable {
  readonly #placing: Placing
  readonly #stride: number
  #words = NOTHING
  #slots = 1
  #room = 0
  /** How many of the highest bits of a place all its ids have in common. */
  readonly shared: number
  /** How many ids it holds. */
  size = 0

  constructor({ placing, stride, shared }: IdTableOptions) {
    this.#placing = placing
    this.#stride = stride
    this.shared = shared
  }

  /** All slots, one after the other. */
  get words(): Int32Array {
    return this.#words
  }

  /** How much memory the slots take, in bytes. */
  get bytes(): number {
    return this.#words === NOTHING ? 0 : this.#words.byteLength
  }

  /** Where the slot of an id begins, or -1. */
  find(id: Int32Array, place: number): number {
    const words = this.#words
    const last = lastOf(id, 0)
    let at = this.#start(place)
    for (;;) {
      const found = lastOf(words, at)
      if (found < last) return -1
      if (found === last) {
        // Asked first, so that the id that cannot be held is not found in a free slot.
        if (isFree(words, at)) return -1
        if (hasId(words, at, id)) return at
      }
      at += this.#stride
      if (at === words.length) at = 0
    }
  }

  /** Whether the next id that is added has the table grow. */
  get crowded(): boolean {
    return this.size >= this.#room
  }

  /** Puts in the id, and its payload, that stand in `from` from `start` on. The id must not be there yet. */
  add(from: Int32Array, start: number, place: number): void {
    if (this.crowded) {
      const growth = LEAST_GROWTH + (0.1 * (place & (GROWTH_STEPS - 1))) / GROWTH_STEPS
      this.#resize(Math.ceil(Math.max(this.#slots + LEAST_SLOTS, this.#slots * growth)))
    }
    this.size++
    this.#copy(from, start, place)
  }

  #start(place: number): number {
    // The places are spread over the slots by a multiplication, so that their number need be no power of two.
    const rest = (place << this.shared) >>> 0
    return Math.floor((rest * this.#slots) / 0x1_0000_0000) * this.#stride
  }

  /** Makes room for as many ids as that in all. */
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

/** The slot that is on its way. Shared by all tables: used up within one call, which runs no foreign code. */
const carried = new Int32Array(8)

function swap(words: Int32Array, at: number, stride: number): void {
  for (let i = 0; i < stride; i++) {
    const word = words[at + i] as number
    words[at + i] = carried[i] as number
    carried[i] = word
  }
}

/** The last word of an id, as a number that is not negative: random, and lowest where a slot is free. */
const lastOf = (words: Int32Array, at: number): number => (words[at + 3] as number) >>> 0

function hasId(words: Int32Array, at: number, id: Int32Array): boolean {
  return (
    words[at] === id[0] &&
    words[at + 1] === id[1] &&
    words[at + 2] === id[2] &&
    words[at + 3] === id[3]
  )
}
