/**
 * The cache of verified tokens: authenticated facts by fingerprint, never a verdict and never a token.
 *
 * @module
 */
import { LRUCache } from 'lru-cache'

/** What identifies an entry: the 128 bits of the token's fingerprint. */
export type Fingerprint = readonly [number, number, number, number]

/** What every entry carries of its fingerprint. */
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
  /** The most bytes, as {@link VerifiedCache.set} is told them. */
  readonly maxBytes: number
}

/** A bounded map from fingerprints to entries; the entry used longest ago goes first. */
export class VerifiedCache<E extends Fingerprinted> {
  readonly #entries: LRUCache<number, E> | undefined

  constructor(limits: CacheLimits | undefined) {
    this.#entries =
      limits === undefined
        ? undefined
        : new LRUCache<number, E>({ max: limits.max, maxSize: limits.maxBytes })
  }

  /** Answers the entry of this fingerprint. */
  get(print: Fingerprint): E | undefined {
    const entry = this.#entries?.get(slotOf(print))
    // The slot is 53 bits of the fingerprint, the entry holds all 128: two tokens may share a slot, never an answer.
    return entry !== undefined &&
      entry.print0 === print[0] &&
      entry.print1 === print[1] &&
      entry.print2 === print[2] &&
      entry.print3 === print[3]
      ? entry
      : undefined
  }

  /** Puts an entry in. One that is larger than the whole cache is not kept. */
  set(entry: E, bytes: number): void {
    this.#entries?.set(slotOf([entry.print0, entry.print1, entry.print2, entry.print3]), entry, {
      size: bytes,
    })
  }

  /** Takes an entry out. */
  delete(entry: E): void {
    this.#entries?.delete(slotOf([entry.print0, entry.print1, entry.print2, entry.print3]))
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

// A number is the cheapest key that a Map takes, and lru-cache publishes its keys to whoever listens on its
// diagnostics channel: this one says nothing about the token.
function slotOf(print: Fingerprint): number {
  return print[0] * 2_097_152 + (print[1] >>> 11)
}
