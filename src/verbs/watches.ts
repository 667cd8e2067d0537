/**
 * The watches of one node: accepted tokens whose holders are still connected, each of which ends as soon as the token
 * would be rejected.
 *
 * A change of the index is followed by a pass over all watches, in slices and only a small part of the time, so that a
 * busy log does not hold up the process. Expiry has a queue and one timer. A timer is never set further than
 * {@link MAX_DELAY_MS} ahead, because the wall clock may be set, and because of the range of `setTimeout`.
 *
 * @module
 */
import { type ResolvedClock, SYSTEM_CLOCK, type Timer } from '../lib/clock.js'
import { type Due, DueQueue } from '../lib/due-queue.js'
import { SECOND } from '../lib/duration.js'
import type { RevocationIndex } from '../revocation/index/revocation-index.js'
import type { Rejected, Verified } from '../types.js'
import { REJECTED } from './rejections.js'
import type { CompiledRequirement } from './requirement.js'
import type { Verifier } from './verify.js'

/** The longest time until the clocks are read again. */
const MAX_DELAY_MS = 60 * SECOND
/** How often freshness is looked at while a watch depends on it. */
const LEASE_STEP_MS = SECOND
/** The number of watches that are judged before other work gets its turn. */
const SLICE = 500
/** A pass may begin once this many times the duration of the last one has gone by. */
const REST = 4

/** How to watch. */
export interface WatchSettings {
  readonly requirement: CompiledRequirement
  /** How long before the token's expiry the watch ends. */
  readonly marginMs: number
  /** The age of the last proof of freshness from which the watch ends; infinite if it never does for that reason. */
  readonly staleMs: number
}

/** One watch, and what ends with it. */
export abstract class Watch implements Due {
  dueAt = 0
  place = -1
  /** Whether the token was rotated and its successor is not known yet. */
  isMoving = false
  /** The token, or since its rotation its successor. */
  principal: Verified<unknown>
  readonly settings: WatchSettings

  constructor(principal: Verified<unknown>, settings: WatchSettings) {
    this.principal = principal
    this.settings = settings
  }

  /** Called once, unless the watch was stopped before. It may call this library. */
  abstract end(reason: Rejected): void
}

/** What the watches need of an authority. */
export interface WatchesOptions {
  readonly clock: ResolvedClock
  readonly index: RevocationIndex
  readonly verifier: Pick<Verifier, 'remains' | 'isLive'>
  /** The time within which a successor must be found, in milliseconds. */
  readonly searchMs: number
  /**
   * Resolves with the principal of the newest successor, or with `undefined` if there is none. Rejects if it cannot be
   * known at present. Calls `onBegin` once it is its turn.
   */
  readonly successorOf: (
    principal: Verified<unknown>,
    onBegin: () => void,
  ) => Promise<Verified<unknown> | undefined>
}

const RETRY_MS = 200
/** How many times the time of a search it may wait for its turn. */
const MAX_WAIT = 10

/** All watches of one authority. */
export class Watches {
  readonly #options: WatchesOptions
  readonly #queue = new DueQueue<Watch>()
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY
  /** The smallest `staleMs` of all watches, or a smaller one. */
  #leaseMs = Number.POSITIVE_INFINITY
  #isPassing = false
  #isPassDue = false
  #isClosed = false

  constructor(options: WatchesOptions) {
    this.#options = options
    options.index.onVersion = () => this.#changed()
  }

  /** The number of watches. */
  get size(): number {
    return this.#queue.size
  }

  /** Every principal that is watched. */
  principals(): readonly Verified<unknown>[] {
    return this.#queue.all().map(({ principal }) => principal)
  }

  /** Starts a watch, until it ends or is stopped. Returns why it is rejected already, and then never calls `end`. */
  add(watch: Watch): Rejected | undefined {
    if (this.#isClosed) return REJECTED.closed
    const rejected = this.#judge(watch)
    if (rejected !== undefined) return rejected
    this.#leaseMs = Math.min(this.#leaseMs, watch.settings.staleMs)
    this.#arm()
    return undefined
  }

  /** Stops a watch without ending it. Idempotent. */
  stop(watch: Watch): void {
    this.#queue.remove(watch)
    if (this.#queue.size > 0) return
    this.#leaseMs = Number.POSITIVE_INFINITY
    this.#disarm()
  }

  /** Ends every watch, and each later one at once. */
  close(): void {
    this.#isClosed = true
    for (const watch of this.#queue.all()) this.#end(watch, REJECTED.closed)
  }

  /**
   * Puts a watch into the queue for the next time at which it has to be judged. Returns why it has to end now, if so.
   */
  #judge(watch: Watch): Rejected | undefined {
    const { clock, verifier } = this.#options
    const { requirement, marginMs, staleMs } = watch.settings
    const { expiresAt } = watch.principal
    const remains = verifier.remains(watch.principal, requirement)
    if (typeof remains !== 'number' && remains !== REJECTED.superseded) return remains
    if (staleMs < Number.POSITIVE_INFINITY && !verifier.isLive(staleMs)) return REJECTED.stale
    if (typeof remains !== 'number') {
      if (!watch.isMoving) this.#move(watch)
      return undefined
    }
    if (clock.judged() >= expiresAt - marginMs) return REJECTED.expired
    watch.isMoving = false
    this.#queue.set(watch, Math.min(remains, expiresAt - marginMs))
    return undefined
  }

  #rejudge(watch: Watch): void {
    if (watch.place === -1) return
    let rejected: Rejected | undefined
    try {
      rejected = this.#judge(watch)
    } catch {
      // Such as a foreign object in place of a result: it ends, and the others are judged all the same.
      rejected = REJECTED.invalid
    }
    if (rejected !== undefined) this.#end(watch, rejected)
  }

  #end(watch: Watch, reason: Rejected): void {
    if (watch.place === -1) return
    this.stop(watch)
    watch.end(reason)
  }

  /** Lets a watch follow its token to the successor, as long as one can be found in time. */
  #move(watch: Watch): void {
    watch.isMoving = true
    const { clock, searchMs } = this.#options
    this.#queue.set(watch, clock.judged() + MAX_WAIT * searchMs)
    void this.#search(watch, watch.principal)
  }

  async #search(watch: Watch, from: Verified<unknown>): Promise<void> {
    const { clock, searchMs, successorOf } = this.#options
    const began = () => {
      if (!this.#isMoving(watch, from)) return
      this.#queue.set(watch, Math.min(watch.dueAt, clock.judged() + searchMs))
      this.#arm()
    }
    const found = await successorOf(from, began).catch(() => null)
    if (!this.#isMoving(watch, from)) return
    if (found === null) {
      clock.setTimer(() => {
        if (this.#isMoving(watch, from)) void this.#search(watch, from)
      }, RETRY_MS)
      return
    }
    if (found === undefined || found.generation <= from.generation) {
      this.#end(watch, REJECTED.superseded)
      return
    }
    watch.principal = found
    watch.isMoving = false
    this.#rejudge(watch)
    this.#arm()
  }

  #isMoving(watch: Watch, from: Verified<unknown>): boolean {
    return watch.place !== -1 && watch.isMoving && watch.principal === from
  }

  #changed(): void {
    if (this.#queue.size === 0) return
    this.#isPassDue = true
    this.#pass()
  }

  /** Judges every watch that there is now. */
  #pass(): void {
    if (this.#isPassing) return
    this.#isPassing = true
    // Later, because the index is being changed by the caller.
    setImmediate(() => {
      this.#isPassDue = false
      this.#slice(this.#queue.all(), 0, 0)
    })
  }

  #slice(watches: readonly Watch[], from: number, spentMs: number): void {
    const began = SYSTEM_CLOCK.monotonic()
    const to = Math.min(from + SLICE, watches.length)
    for (let i = from; i < to; i++) this.#rejudge(watches[i] as Watch)
    const spent = spentMs + SYSTEM_CLOCK.monotonic() - began
    if (to < watches.length) {
      setImmediate(() => this.#slice(watches, to, spent))
      return
    }
    this.#arm()
    // By the machine's clock, because the time was spent on this machine.
    SYSTEM_CLOCK.setTimer(() => {
      this.#isPassing = false
      if (this.#isPassDue) this.#pass()
    }, spent * REST)
  }

  #arm(): void {
    const { first } = this.#queue
    if (first === undefined) return
    const now = this.#options.clock.judged()
    const step = this.#leaseMs < Number.POSITIVE_INFINITY ? LEASE_STEP_MS : MAX_DELAY_MS
    const at = Math.min(first.dueAt, now + step)
    if (this.#timer !== undefined && this.#timerAt <= at) return
    this.#disarm()
    this.#timerAt = at
    this.#timer = this.#options.clock.setTimer(() => this.#expired(), Math.max(0, at - now))
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #expired(): void {
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    const now = this.#options.clock.judged()
    // The rest when the timer is set again, so that other work gets its turn.
    for (let left = SLICE; left > 0; left--) {
      const { first } = this.#queue
      if (first === undefined || first.dueAt > now) break
      // A successor was not found in time.
      if (first.isMoving) this.#end(first, REJECTED.superseded)
      else this.#rejudge(first)
    }
    if (this.#leaseMs < Number.POSITIVE_INFINITY && !this.#options.verifier.isLive(this.#leaseMs))
      this.#changed()
    this.#arm()
  }
}
