/**
 * A table of ids that splits in two, by the next bit of the ids' places, when it becomes large. Growing one large table
 * would block all other work for too long.
 *
 * This is extendible hashing: for each value of the highest bits of a place, a directory holds the table to use.
 *
 * @see Fagin, Nievergelt, Pippenger and Strong, "Extendible hashing: a fast access method for dynamic files", 1979
 * @module
 */
import { IdTable, isFree, type Placing, placeOf } from './id-table.js'

/** The number of ids in a table before it splits: moving them takes half a millisecond. */
const SPLIT_AT = 16_384

// The directory uses at most this many bits of a place: the rest must locate an id within a table.
const MAX_BITS = 16

/** The overhead of every table besides its slots: the size of its objects in bytes. */
const TABLE_BYTES = 320

// The size of a directory entry.
const REFERENCE_BYTES = 8

/** A table of ids that splits when it becomes large. */
export class IdShards {
  readonly #placing: Placing
  readonly #stride: number
  /** The number of bits of a place that select the directory entry. */
  #bits = 0
  // Never changed in place, so an iteration over it can continue. Some tables appear several times in a row.
  #directory: readonly IdTable[]

  /** @param stride - Words of a slot: four for the id, plus the payload. */
  constructor(placing: Placing, stride: number) {
    this.#placing = placing
    this.#stride = stride
    this.#directory = [new IdTable({ placing, stride, shared: 0 })]
  }

  /** The table that holds ids of this place. */
  at(place: number): IdTable {
    // In JavaScript a shift by 32 is a shift by 0.
    const index = this.#bits === 0 ? 0 : place >>> (32 - this.#bits)
    return this.#directory[index] as IdTable
  }

  /** Whether the id is in the table. */
  has(id: Int32Array, place: number): boolean {
    return this.at(place).find(id, place) >= 0
  }

  /** Adds an id that is not in the table, with its payload: the first words of `slot`, as many as the stride. */
  add(slot: Int32Array, place: number): void {
    const table = this.at(place)
    if (table.crowded && table.size >= SPLIT_AT && table.shared < MAX_BITS) this.#split(table)
    this.at(place).add(slot, 0, place)
  }

  /**
   * Yields every slot that was occupied at the start, and possibly slots occupied before the end, in one array that the
   * next slot overwrites.
   */
  *slots(): Generator<Int32Array> {
    const slot = new Int32Array(this.#stride)
    for (const table of tablesOf(this.#directory)) {
      // Adding ids moves others within the table.
      const words = table.words.slice()
      for (let at = 0; at < words.length; at += slot.length) {
        if (isFree(words, at)) continue
        for (let i = 0; i < slot.length; i++) slot[i] = words[at + i] as number
        yield slot
      }
    }
  }

  /**
   * Drops every slot for which `keep` returns `false`, and frees its memory. Returns the number dropped.
   *
   * @param keep - Called with the words of a table and the start of the slot in them.
   */
  retain(keep: (words: Int32Array, at: number) => boolean): number {
    let dropped = 0
    const kept = new Map<IdTable, IdTable>()
    for (const table of tablesOf(this.#directory)) {
      const rest = this.#rest(table, keep)
      dropped += table.size - rest.size
      kept.set(table, rest)
    }
    this.#directory = this.#directory.map((table) => kept.get(table) as IdTable)
    return dropped
  }

  // Returns the table itself unless something in it is dropped.
  #rest(table: IdTable, keep: (words: Int32Array, at: number) => boolean): IdTable {
    const { words, shared } = table
    const kept: number[] = []
    for (let at = 0; at < words.length; at += this.#stride)
      if (!isFree(words, at) && keep(words, at)) kept.push(at)
    if (kept.length === table.size) return table
    const rest = new IdTable({ placing: this.#placing, stride: this.#stride, shared })
    if (kept.length > 0) rest.reserve(kept.length)
    for (const at of kept) rest.add(words, at, placeOf(this.#placing, words, at))
    return rest
  }

  /** The memory used, in bytes. */
  get bytes(): number {
    return tablesOf(this.#directory).reduce(
      (sum, { bytes }) => sum + bytes + TABLE_BYTES,
      this.#directory.length * REFERENCE_BYTES,
    )
  }

  #split(table: IdTable): void {
    const { words, shared, size } = table
    if (shared === this.#bits) {
      this.#directory = this.#directory.flatMap((each) => [each, each])
      this.#bits++
    }
    const halves = [this.#newHalf(shared + 1, size), this.#newHalf(shared + 1, size)] as const
    const half = (bits: number, width: number) =>
      halves[(bits >>> (width - shared - 1)) & 1 ? 1 : 0]
    for (let at = 0; at < words.length; at += this.#stride) {
      if (isFree(words, at)) continue
      const place = placeOf(this.#placing, words, at)
      half(place, 32).add(words, at, place)
    }
    this.#directory = this.#directory.map((each, index) =>
      each === table ? half(index, this.#bits) : each,
    )
  }

  #newHalf(shared: number, ids: number): IdTable {
    const half = new IdTable({ placing: this.#placing, stride: this.#stride, shared })
    half.reserve(ids / 2)
    return half
  }
}

const tablesOf = (directory: readonly IdTable[]): readonly IdTable[] =>
  directory.filter((table, index) => table !== directory[index - 1])
