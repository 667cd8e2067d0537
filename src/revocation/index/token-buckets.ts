/**
 * Revoked tokens by the hour of their expiry. A lookup knows that hour, and dropping an expired hour drops its tables.
 *
 * @module
 */
import { IdShards } from './id-shards.js'
import { type Placing, placeOf } from './id-table.js'
import { BUCKET_MS, type Outcome } from './outcome.js'

/** The end of the bucket of tokens with this expiry; both in Unix milliseconds. */
export const bucketEnd = (expiresAt: number): number => (bucketOf(expiresAt) + 1) * BUCKET_MS

const bucketOf = (expiresAt: number): number => Math.floor(expiresAt / BUCKET_MS)

interface Bucket {
  readonly revoked: IdShards
  /** The number of tokens in it. */
  size: number
}

const ID_WORDS = 4

/** One stored token. */
export interface HeldToken {
  /** The last millisecond at which it may expire. */
  readonly expiresAt: number
  /** The four words of its id. They are overwritten by the next token. */
  readonly id: Int32Array
}

/** The overhead of every bucket besides its tables, in bytes. */
const BUCKET_BYTES = 200

/** The revoked tokens of one node. Ids are passed as four words, which are not all zero. */
export class TokenBuckets {
  readonly #placing: Placing
  readonly #buckets = new Map<number, Bucket>()
  /** The number of tokens. */
  size = 0

  constructor(placing: Placing) {
    this.#placing = placing
  }

  /** The memory used, in bytes. */
  get bytes(): number {
    let bytes = 0
    for (const { revoked } of this.#buckets.values()) bytes += revoked.bytes + BUCKET_BYTES
    return bytes
  }

  /** Whether a token is revoked. */
  has(id: Int32Array, expiresAt: number): boolean {
    const bucket = this.#buckets.get(bucketOf(expiresAt))
    return bucket?.revoked.has(id, placeOf(this.#placing, id, 0)) ?? false
  }

  /**
   * Records that a token is revoked.
   *
   * @param room - Whether there is space for one more.
   */
  apply(id: Int32Array, expiresAt: number, room: boolean): Outcome {
    const number = bucketOf(expiresAt)
    const place = placeOf(this.#placing, id, 0)
    const existing = this.#buckets.get(number)
    if (existing?.revoked.has(id, place)) return 'known'
    if (!room) return 'refused'
    const bucket = existing ?? this.#newBucket(number)
    bucket.revoked.add(id, place)
    bucket.size++
    this.size++
    return 'added'
  }

  #newBucket(number: number): Bucket {
    const bucket: Bucket = { revoked: new IdShards(this.#placing, ID_WORDS), size: 0 }
    this.#buckets.set(number, bucket)
    return bucket
  }

  /** Yields every token stored at the start, and possibly tokens added before the end. */
  *held(): Generator<HeldToken> {
    for (const [number, { revoked }] of this.#buckets) {
      const expiresAt = (number + 1) * BUCKET_MS - 1
      for (const id of revoked.slots()) yield { id, expiresAt }
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
