/**
 * The cache of verified tokens: authenticated facts by fingerprint, never a verdict and never a token.
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

/** Bounds of the cache. Both hold at once. */
export interface CacheLimits {
  /** The most entries. */
  readonly max: number
  /** The maximum size in bytes, as the sum of the sizes passed to {@link VerifiedCache.set}. */
  readonly maxBytes: number
}

// Own fields, since lru-cache reads its options through the prototype chain, and writes this one.
const UNSET = undefined as never

/** A bounded map from fingerprints to entries; the entry used longest ago goes first. */
export class VerifiedCache<E extends Fingerprinted> {
  readonly #entries: LRUCache<number, E> | undefined
  readonly #look = {
    status: UNSET,
    allowStale: false,
    updateAgeOnGet: false,
    noDeleteOnStaleGet: false,
  }

  constructor(limits: CacheLimits | undefined) {
    this.#entries =
      limits === undefined
        ? undefined
        : new LRUCache<number, E>(bare({ max: limits.max, maxSize: limits.maxBytes }))
  }

  /** Whether there is a cache at all. */
  get enabled(): boolean {
    return this.#entries !== undefined
  }

  /** Returns the entry of this fingerprint. */
  get(print0: number, print1: number, print2: number, print3: number): E | undefined {
    // The slot is 32 bits of the fingerprint, the entry holds all 128: tokens may share a slot, never a result. A small
    // integer is the cheapest Map key, and reveals nothing to subscribers of lru-cache's own channel.
    // Reset each time, since lru-cache leaves its own there while something listens on its channel.
    this.#look.status = UNSET
    const entry = this.#entries?.get(print0, this.#look)
    return entry !== undefined &&
      entry.print0 === print0 &&
      entry.print1 === print1 &&
      entry.print2 === print2 &&
      entry.print3 === print3
      ? entry
      : undefined
  }

  /** Puts an entry in. One that is larger than the whole cache is not kept. */
  set(entry: E, bytes: number): void {
    this.#entries?.set(entry.print0, entry, {
      size: bytes,
      status: UNSET,
      ttl: 0,
      noUpdateTTL: false,
      noDisposeOnSet: false,
    })
  }

  /** Takes an entry out. */
  delete(entry: E): void {
    this.#entries?.delete(entry.print0)
  }

  /** Takes everything out. */
  clear(): void {
    this.#entries?.clear()
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries?.size ?? 0
  }

  /** How many bytes the entries were said to take. */
  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0
  }
}
