/**
 * The generations of families: how far each was rotated, and from which generation on it is revoked. At most two
 * registers per family, regardless of how often it rotates.
 *
 * A lookup knows the family but not the expiry of its entry, so registers are not grouped by hour like tokens. Their
 * expiry is still rounded to the hour, so nodes that receive them in any order hold the same state.
 *
 * @module
 */
import { type FamilyEntry, isLaterRotation } from './entries.js'
import { IdShards } from './id-shards.js'
import { type Placing, placeOf } from './id-table.js'
import { BUCKET_MS, NOT_REVOKED, type Outcome, REVOKED } from './outcome.js'
import { writeUlid } from './ulid-codec.js'

/** The rejection time of a token whose successor was rotated too: earlier than any token, and not a revocation. */
export const SUPERSEDED = 0

// A slot: four words of the family's id, then these fields.
const HOUR = 4
const GENERATION = 5
const FROM_HIGH = 6
const FROM_LOW = 7
const ROTATED_WORDS = 8
const SUCCESSORS_WORDS = 6
// A time has 48 bits, so the high word of one is never negative.
const NO_TIME = -1

/** One stored register. */
export interface HeldFamily {
  /** The first four words are the family's id. They are overwritten by the next register. */
  readonly family: Int32Array
  readonly entry: FamilyEntry
}

/** The registers of one node. Family ids are passed as four words, which are not all zero. */
export class Families {
  readonly #placing: Placing
  readonly #rotated: IdShards
  readonly #successors: IdShards
  readonly #slot = new Int32Array(ROTATED_WORDS)
  /** The earliest hour of all registers, or an earlier one. */
  #firstHour = Number.POSITIVE_INFINITY
  /** The number of registers. */
  size = 0

  constructor(placing: Placing) {
    this.#placing = placing
    this.#rotated = new IdShards(placing, ROTATED_WORDS)
    this.#successors = new IdShards(placing, SUCCESSORS_WORDS)
  }

  /** The memory used, in bytes. */
  get bytes(): number {
    return this.size === 0 ? 0 : this.#rotated.bytes + this.#successors.bytes
  }

  /** When a generation of the family is rejected. */
  deadline(family: Int32Array, generation: number): number {
    const place = placeOf(this.#placing, family, 0)
    const successors = this.#successors.at(place)
    const revoked = successors.find(family, place)
    if (revoked >= 0 && generation >= generationAt(successors.words, revoked)) return REVOKED
    const rotated = this.#rotated.at(place)
    const at = rotated.find(family, place)
    if (at < 0) return NOT_REVOKED
    const newest = generationAt(rotated.words, at)
    if (generation < newest) return SUPERSEDED
    return generation > newest ? NOT_REVOKED : (timeAt(rotated.words, at) ?? NOT_REVOKED)
  }

  /** Whether the family is known to have been rotated beyond this generation. */
  hasSuccessor(family: Int32Array, generation: number): boolean {
    const place = placeOf(this.#placing, family, 0)
    const { words } = this.#rotated.at(place)
    const at = this.#rotated.at(place).find(family, place)
    return at >= 0 && generation <= generationAt(words, at)
  }

  /**
   * Records one entry, whose family id is in `family`.
   *
   * @param room - Whether there is space for one more.
   */
  apply(family: Int32Array, entry: FamilyEntry, room: boolean): Outcome {
    const place = placeOf(this.#placing, family, 0)
    const shards = this.#shardsOf(entry)
    const { words } = shards.at(place)
    const at = shards.at(place).find(family, place)
    if (at >= 0) return this.#merge(words, at, entry)
    if (!room) return 'refused'
    this.#slot.set(family)
    writeRegister(this.#slot, 0, entry)
    this.#noteHour(this.#slot[HOUR] as number)
    shards.add(this.#slot, place)
    this.size++
    return 'added'
  }

  #merge(words: Int32Array, at: number, entry: FamilyEntry): Outcome {
    const hour = Math.max(words[at + HOUR] as number, hourOf(entry))
    words[at + HOUR] = hour
    if (!reachesFurther(entry, words, at)) return 'known'
    writeRegister(words, at, entry)
    words[at + HOUR] = hour
    return 'changed'
  }

  #shardsOf({ kind }: FamilyEntry): IdShards {
    return kind === 'rotated' ? this.#rotated : this.#successors
  }

  /** Whether an entry at least as strong is stored. */
  covers(family: Int32Array, entry: FamilyEntry): boolean {
    const place = placeOf(this.#placing, family, 0)
    const table = this.#shardsOf(entry).at(place)
    const at = table.find(family, place)
    if (at < 0 || (table.words[at + HOUR] as number) < hourOf(entry)) return false
    return !reachesFurther(entry, table.words, at)
  }

  /** All registers, and possibly some that are added before this ends. */
  *held(): Generator<HeldFamily> {
    for (const slot of this.#rotated.slots())
      yield { family: slot, entry: { kind: 'rotated', ...registerAt(slot), from: timeAt(slot, 0) } }
    for (const slot of this.#successors.slots())
      yield { family: slot, entry: { kind: 'successors', ...registerAt(slot) } }
  }

  /** Drops registers whose hour ends at or before this time. */
  forget(before: number): void {
    if (hourEnd(this.#firstHour) > before) return
    this.#firstHour = Number.POSITIVE_INFINITY
    const keep = (words: Int32Array, at: number): boolean => {
      const hour = words[at + HOUR] as number
      if (hourEnd(hour) <= before) return false
      this.#noteHour(hour)
      return true
    }
    this.size -= this.#rotated.retain(keep) + this.#successors.retain(keep)
  }

  #noteHour(hour: number): void {
    this.#firstHour = Math.min(this.#firstHour, hour)
  }
}

const hourOf = ({ expiresAt }: FamilyEntry): number => Math.floor(expiresAt / BUCKET_MS)

const hourEnd = (hour: number): number => (hour + 1) * BUCKET_MS

const generationAt = (words: Int32Array, at: number): number =>
  (words[at + GENERATION] as number) >>> 0

function timeAt(words: Int32Array, at: number): number | null {
  const high = words[at + FROM_HIGH] as number
  return high === NO_TIME ? null : high * 2 ** 32 + ((words[at + FROM_LOW] as number) >>> 0)
}

function registerAt(slot: Int32Array) {
  const expiresAt = hourEnd(slot[HOUR] as number) - 1
  return { value: writeUlid(slot), generation: generationAt(slot, 0), expiresAt }
}

function reachesFurther(entry: FamilyEntry, words: Int32Array, at: number): boolean {
  const generation = generationAt(words, at)
  if (entry.kind === 'successors') return entry.generation < generation
  return isLaterRotation(entry, { generation, from: timeAt(words, at) })
}

function writeRegister(words: Int32Array, at: number, entry: FamilyEntry): void {
  words[at + HOUR] = hourOf(entry)
  words[at + GENERATION] = entry.generation
  if (entry.kind === 'successors') return
  words[at + FROM_HIGH] = entry.from === null ? NO_TIME : Math.floor(entry.from / 2 ** 32)
  words[at + FROM_LOW] = entry.from ?? 0
}
