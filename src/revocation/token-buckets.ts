/**
 * Dead tokens, by the hour of their own expiry: whoever looks for a token knows that hour, and forgetting an hour is
 * dropping its tables.
 *
 * @module
 */
import { IdShards } from './id-shards.js'
import { type Placing, placeOf } from './id-table.js'

/** How long a bucket is, in milliseconds: the same on every node and for ever, since snapshots and look-ups must agree. */
export const BUCKET_MS = 3_600_000

/** What became of an entry: `known` already, or not weaker than what is known; `refused`: there is no room. */
export type Outcome = 'added' | 'changed' | 'known' | 'refused'

/** From when on a revoked token is dead: earlier than any time. */
export const REVOKED = Number.NEGATIVE_INFINITY
/** From when on a token is dead that nothing has named: later than any time. */
export const NOT_REVOKED = Number.POSITIVE_INFINITY

/** The end of the bucket of tokens that expire then; Unix milliseconds, both of them. */
export const bucketEnd = (expiresAt: number): number => (bucketOf(expiresAt) + 1) * BUCKET_MS

const bucketOf = (expiresAt: number): number => Math.floor(expiresAt / BUCKET_MS)

interface Bucket {
  /** Dead at once. */
  readonly revoked: IdShards
  /** Dead from a time on, which follows the id in two words. Who was revoked after that stays, and is dead at once. */
  readonly superseded: IdShards
  /** How many tokens it holds. */
  size: number
}

const ID_WORDS = 4
const FROM_HIGH = 4
const FROM_LOW = 5
const SUPERSEDED_WORDS = 6

/** One token as it is held. */
export interface HeldToken {
  /** The last millisecond at which it may expire. */
  readonly expiresAt: number
  /** `REVOKED`, or from when on it is dead. */
  readonly from: number
  /** The first four words are its id. They are overwritten by the next token. */
  readonly id: Int32Array
}

/** What comes with every bucket, beside its tables, in bytes. */
const BUCKET_BYTES = 200

/** The dead tokens of one node. Their ids are given as four words, which are not all zero. */
export class TokenBuckets {
  readonly #placing: Placing
  readonly #buckets = new Map<number, Bucket>()
  readonly #slot = new Int32Array(SUPERSEDED_WORDS)
  /** How many tokens are held. */
  size = 0

  constructor(placing: Placing) {
    this.#placing = placing
  }

  /** How much memory they take, in bytes. */
  get bytes(): number {
    let bytes = 0
    for (const { revoked, superseded } of this.#buckets.values())
      bytes += revoked.bytes + superseded.bytes + BUCKET_BYTES
    return bytes
  }

  /** From when on a token is dead. */
  deadline(id: Int32Array, expiresAt: number): number {
    const bucket = this.#buckets.get(bucketOf(expiresAt))
    return bucket === undefined
      ? NOT_REVOKED
      : deadlineIn(bucket, id, placeOf(this.#placing, id, 0))
  }

  /**
   * Notes that a token is dead from then on. Of two times the earlier stands.
   *
   * @param room - Whether there is room for one more.
   */
  apply(id: Int32Array, expiresAt: number, from: number, room: boolean): Outcome {
    const number = bucketOf(expiresAt)
    const place = placeOf(this.#placing, id, 0)
    const existing = this.#buckets.get(number)
    const known = existing === undefined ? NOT_REVOKED : deadlineIn(existing, id, place)
    if (from >= known) return 'known'
    const isNew = known === NOT_REVOKED
    if (isNew && !room) return 'refused'
    const bucket = existing ?? this.#newBucket(number)
    this.#put(bucket, id, place, from)
    if (!isNew) return 'changed'
    bucket.size++
    this.size++
    return 'added'
  }

  #newBucket(number: number): Bucket {
    const bucket: Bucket = {
      revoked: new IdShards(this.#placing, ID_WORDS),
      superseded: new IdShards(this.#placing, SUPERSEDED_WORDS),
      size: 0,
    }
    this.#buckets.set(number, bucket)
    return bucket
  }

  #put({ revoked, superseded }: Bucket, id: Int32Array, place: number, from: number): void {
    if (from === REVOKED) {
      revoked.add(id, place)
      return
    }
    const table = superseded.at(place)
    const at = table.find(id, place)
    if (at >= 0) {
      writeFrom(table.words, at, from)
      return
    }
    this.#slot.set(id)
    writeFrom(this.#slot, 0, from)
    superseded.add(this.#slot, place)
  }

  /**
   * Every token that is held when this begins, and maybe some that come to be held before it ends; a token may come
   * twice if it is superseded at first and then revoked.
   */
  *held(): Generator<HeldToken> {
    for (const [number, { revoked, superseded }] of this.#buckets) {
      const expiresAt = (number + 1) * BUCKET_MS - 1
      // The revoked come last, so that none slips through by going over to them in between.
      for (const id of superseded.slots()) {
        if (!revoked.has(id, placeOf(this.#placing, id, 0)))
          yield { id, expiresAt, from: readFrom(id, 0) }
      }
      for (const id of revoked.slots()) yield { id, expiresAt, from: REVOKED }
    }
  }

  /** Drops the buckets that end at or before this time. */
  forget(before: number): void {
    for (const [number, { size }] of this.#buckets) {
      if ((number + 1) * BUCKET_MS > before) continue
      this.#buckets.delete(number)
      this.size -= size
    }
  }
}

function deadlineIn({ revoked, superseded }: Bucket, id: Int32Array, place: number): number {
  if (revoked.has(id, place)) return REVOKED
  const table = superseded.at(place)
  const at = table.find(id, place)
  return at < 0 ? NOT_REVOKED : readFrom(table.words, at)
}

// A time has 48 bits.
function readFrom(words: Int32Array, at: number): number {
  return (words[at + FROM_HIGH] as number) * 2 ** 32 + ((words[at + FROM_LOW] as number) >>> 0)
}

function writeFrom(words: Int32Array, at: number, from: number): void {
  words[at + FROM_HIGH] = Math.floor(from / 2 ** 32)
  words[at + FROM_LOW] = from >>> 0
}
