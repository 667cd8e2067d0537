/**
 * The witness: evidence that this node reads the same log as the others, not one side of a split. A node's own seal is
 * no evidence while another member may be running.
 *
 * @module
 */

import { sameBytes } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { Opened } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'

/** The source of the evidence: seals of other members, the store, this node alone, or none. */
export type WitnessKind = 'members' | 'store' | 'self' | 'none'

/** Asks an adapter which server it runs on. */
type Identify = () => Promise<string | undefined>

/** Options of the witness. */
export interface WitnessOptions {
  readonly clock: ResolvedClock
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  readonly time: AgreedTime
  readonly toleranceMs: number
  /** Reads the store, if there is one that outlives the process. */
  readonly reconcile: unknown
}

/** A moment on both clocks: the wall clock may be stopped meanwhile. */
type Moment = readonly [wall: number, steady: number]

const NEVER: Moment = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]

/** The newest evidence of each kind. */
export class Witness {
  readonly #options: WitnessOptions
  #members = NEVER
  #store = NEVER
  /** Whether the store can vouch for the log: it runs on another server, as far as is known. */
  hasStore: boolean
  /** Whether store and log are known to run on one server. */
  sharesServer = false
  /** The source of the last proof. */
  kind: WitnessKind = 'none'

  constructor(options: WitnessOptions) {
    this.#options = options
    this.hasStore = options.reconcile !== undefined
  }

  /**
   * Compares the servers of store and log, if both report one: a split of a shared server splits both. A match is
   * permanent, because during a failover the two are not read at the same moment. Never rejects.
   */
  async compare(storeIdentity: Identify | undefined, feedIdentity: Identify): Promise<void> {
    if (storeIdentity === undefined) return
    const asked = [storeIdentity(), feedIdentity()]
    const [store, feed] = await Promise.all(asked.map((id) => id.catch(() => undefined)))
    if (store === undefined || store !== feed) return
    this.sharesServer = true
    this.hasStore = false
    this.#store = NEVER
  }

  /** Processes an authentic seal. A seal dated in the future is no evidence: it could be replayed until then. */
  note({ writer, at: sealedAt }: Opened): void {
    const { clock, time, toleranceMs } = this.#options
    const [newest] = this.#members
    const at = time.ownTimeOf(sealedAt)
    if (at <= newest || sameBytes(writer, this.#options.writer)) return
    if (at <= clock.judged() + toleranceMs) this.#members = [at, clock.monotonic()]
  }

  /** Records that this node knows everything the store had when it was read. */
  noteStore(asked: Moment): void {
    if (this.hasStore && asked[1] > this.#store[1]) this.#store = asked
  }

  /**
   * The wall time of the newest evidence. A store read counts for `maxStaleness` only, a seal for the clock skew
   * tolerance on top of it.
   *
   * @param sealedAt - When this node last sealed the head, if that is evidence.
   */
  newest(sealedAt = Number.NEGATIVE_INFINITY): number {
    this.#members = this.#aged(this.#members)
    this.#store = this.#aged(this.#store)
    const [members] = this.#members
    const store = this.#store[0] - this.#options.toleranceMs
    const newest = Math.max(members, store, sealedAt)
    if (newest === Number.NEGATIVE_INFINITY) this.kind = 'none'
    else if (newest === members) this.kind = 'members'
    else this.kind = newest === store ? 'store' : 'self'
    return newest
  }

  // Evidence that is older by the monotonic clock is older. After a step back of the wall clock its age is unknown.
  #aged([wall, steady]: Moment): Moment {
    const { clock, toleranceMs } = this.#options
    const now = clock.judged()
    if (wall > now + toleranceMs) return NEVER
    return [Math.min(wall, now + toleranceMs - (clock.monotonic() - steady)), steady]
  }
}
