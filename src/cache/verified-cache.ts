/**
 * The cache of verified tokens: authenticated claims by fingerprint, never a decision and never a token.
 *
 * @module
 */
import { LRUCache } from 'lru-cache'
import { bare } from '../lib/fields.js'

/** The key of an entry: the 128 bits of the token's fingerprint. */
export type Fingerprint = readonly [number, number, number, number]

/** The fingerprint fields of every entry. */
export interface Fingerprinted {
  readonly print0: number
  readonly print1: number
  readonly print2: number
  readonly print3: number
}

/** Limits of the cache. Both apply. */
export interface CacheLimits {
  /** The maximum number of entries. */
  readonly max: number
  /** The maximum size in bytes, as the sum of the sizes passed to {@link VerifiedCache.set}. */
  readonly maxBytes: number
}

// Set as an own field, because lru-cache reads its options through the prototype chain and writes this one.
const UNSET = undefined as never

/** A bounded map from fingerprints to entries that evicts the least recently used entry. */
export class VerifiedCache<E extends Fingerprinted> {
  readonly #entries: LRUCache<number, E> | undefined
  #hits = 0
  #misses = 0
  readonly #look = {
    status: UNSET,
    allowStale: false,
    updateAgeOnGet: false,
    noDeleteOnStaleGet: false,
  }

  /**
   * @param onLeave - Called with each entry that leaves the cache. Must not use the cache.
   */
  constructor(limits: CacheLimits | undefined, onLeave?: (entry: E) => void) {
    if (limits === undefined) return
    const bounds = { max: limits.max, maxSize: limits.maxBytes }
    this.#entries = new LRUCache<number, E>(
      bare(onLeave === undefined ? bounds : { ...bounds, dispose: onLeave }),
    )
  }

  /** Whether caching is enabled. */
  get enabled(): boolean {
    return this.#entries !== undefined
  }

  /** Returns the entry of this fingerprint. */
  get(print0: number, print1: number, print2: number, print3: number): E | undefined {
    // The slot is 32 bits of the fingerprint, and the entry has all 128: tokens may share a slot, but never a result. A
    // small integer is the cheapest Map key and reveals nothing to subscribers of lru-cache's own channel. Reset each
    // time, because lru-cache leaves its own status there while its channel has subscribers.
    this.#look.status = UNSET
    const entry = this.#entries?.get(print0, this.#look)
    if (
      entry === undefined ||
      entry.print0 !== print0 ||
      entry.print1 !== print1 ||
      entry.print2 !== print2 ||
      entry.print3 !== print3
    ) {
      this.#misses++
      return undefined
    }
    this.#hits++
    return entry
  }

  /** How many calls of `get` found an entry, and how many did not. */
  get lookups(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses }
  }

  /** Adds an entry, unless it is larger than the whole cache. */
  set(entry: E, bytes: number): void {
    this.#entries?.set(entry.print0, entry, {
      size: bytes,
      status: UNSET,
      ttl: 0,
      noUpdateTTL: false,
      noDisposeOnSet: false,
    })
  }

  /** Removes an entry. */
  delete(entry: E): void {
    this.#entries?.delete(entry.print0)
  }

  /** Removes all entries. */
  clear(): void {
    this.#entries?.clear()
  }

  /** The number of entries. */
  get size(): number {
    return this.#entries?.size ?? 0
  }

  /** The total size of the entries, as passed to `set`. */
  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0
  }
}
