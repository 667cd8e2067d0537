/**
 * Looks up keys that this node has not read yet: all tokens that name one share a rate-limited read of the store.
 *
 * Clients choose the key that a token names, so a read for each unknown key would let them load the store. A read at a
 * fixed rate serves all waiting requests. Each request is decided only by a read that started after the request
 * arrived, so invented keys never hide a real one.
 *
 * @module
 */

import { WatchwordError } from '../errors.js'
import type { ResolvedClock, Timer } from '../lib/clock.js'
import { type Deadline, withDeadline } from '../lib/deadline.js'

/** Options of the look-up. */
export interface KeyLookupOptions {
  readonly clock: ResolvedClock
  /** The maximum time that one request waits. */
  readonly deadline: Deadline
  /** The read of the store in flight, if any. */
  readonly reading: () => Promise<unknown> | undefined
  /** Reads the store; the read starts no earlier than this call. */
  readonly read: () => Promise<void>
}

// Two reads of a few rows per second are no load, and a key is found within a second of its first token.
const PACE_MS = 500
// Each one is an open request. The bound is per node: beyond it, requests are rejected with a retry instead of held.
const MAX_WAITING = 1000

/** Looks up unknown keys for one authority. */
export class KeyLookup {
  readonly #options: KeyLookupOptions
  /** The next read, until it starts. */
  #next: Promise<void> | undefined
  #startedAt = Number.NEGATIVE_INFINITY
  #waiting = 0
  #pause: { readonly timer: Timer; readonly end: () => void } | undefined
  #closed = false

  constructor(options: KeyLookupOptions) {
    this.#options = options
  }

  /**
   * Resolves when `found` returns true after a read, or when a read that started after this call is done. Rejects with
   * `ERR_KEY_LOOKUP_PENDING` if too many requests wait, with `ERR_STORE_UNAVAILABLE` after the timeout, or like the
   * read.
   */
  find(found: () => boolean): Promise<void> {
    if (this.#closed) return Promise.resolve()
    if (this.#waiting >= MAX_WAITING) return Promise.reject(tooMany())
    this.#waiting++
    return withDeadline(this.#options.deadline, () => this.#find(found)).finally(() => {
      this.#waiting--
    })
  }

  /** Whether a read starts soon anyway. */
  get isPending(): boolean {
    return this.#next !== undefined
  }

  /** Schedules a read without waiting for it. */
  hint(): void {
    if (!this.#closed) void this.#join().catch(() => undefined)
  }

  /** Ends every wait. */
  stop(): void {
    this.#closed = true
    this.#pause?.timer.cancel()
    this.#pause?.end()
  }

  async #find(found: () => boolean): Promise<void> {
    // A read in flight may have missed the row, so only a positive result counts.
    const reading = this.#options.reading()
    const next = this.#join()
    next.catch(() => undefined)
    if (reading !== undefined) {
      await reading.catch(() => undefined)
      if (found()) return
    }
    await next
  }

  #join(): Promise<void> {
    // Started in a microtask: requests of the same tick share it, and a clock that throws rejects it.
    this.#next ??= Promise.resolve()
      .then(() => this.#paced())
      .finally(() => {
        this.#next = undefined
      })
      .then(() => this.#read())
    return this.#next
  }

  async #read(): Promise<void> {
    if (this.#closed) return
    this.#startedAt = this.#options.clock.monotonic()
    await this.#options.read()
  }

  #paced(): Promise<void> {
    const { clock } = this.#options
    const left = this.#startedAt + PACE_MS - clock.monotonic()
    if (left <= 0) return Promise.resolve()
    return new Promise<void>((resolve) => {
      this.#pause = { timer: clock.setPause(resolve, left), end: resolve }
    }).finally(() => this.#pause?.timer.cancel())
  }
}

function tooMany(): WatchwordError {
  return new WatchwordError(
    'ERR_KEY_LOOKUP_PENDING',
    `${MAX_WAITING} requests already wait for this node to read the keys of the store: try again in a second`,
  )
}
