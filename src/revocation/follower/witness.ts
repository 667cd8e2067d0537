/**
 * The witness: what shows that the log which this node reads is the log of the others, and not a part that was split
 * off. A seal of the node's own shows nothing while another member may be alive.
 *
 * @module
 */

import { sameBytes } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { Opened } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'

/** Who vouches for the log: other members by their seals; the store; this node alone; or no one. */
export type WitnessKind = 'members' | 'store' | 'self' | 'none'

/** Asks an adapter which server it is on. */
type Identify = () => Promise<string | undefined>

/** What the witness needs. */
export interface WitnessOptions {
  readonly clock: ResolvedClock
  /** 16 bytes that name this node. */
  readonly writer: Uint8Array
  readonly time: AgreedTime
  readonly toleranceMs: number
  /** Reads the store, where there is one that outlives the process. */
  readonly reconcile: unknown
}

/** When something was so, on both clocks: the wall clock may stand still while it is held. */
type Moment = readonly [wall: number, steady: number]

const NEVER: Moment = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]

/** The newest evidence of each kind. */
export class Witness {
  readonly #options: WitnessOptions
  #members = NEVER
  #store = NEVER
  /** Whether the store can vouch for the log: it is on another server, as far as is known. */
  hasStore: boolean
  /** Whether store and log are known to be on one server. */
  sharesServer = false
  /** What the last proof rested on. */
  kind: WitnessKind = 'none'

  constructor(options: WitnessOptions) {
    this.#options = options
    this.hasStore = options.reconcile !== undefined
  }

  /**
   * Compares the servers of store and log, where both can tell: what splits one of a server splits the other. Once it was
   * so, it is: in a failover the two are not asked at one moment. Never rejects.
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

  /** Takes in an authentic seal. One of a time to come is no evidence: it could be shown for as long. */
  note({ writer, at: sealedAt }: Opened): void {
    const { clock, time, toleranceMs } = this.#options
    const [newest] = this.#members
    const at = time.ownTimeOf(sealedAt)
    if (at <= newest || sameBytes(writer, this.#options.writer)) return
    if (at <= clock.judged() + toleranceMs) this.#members = [at, clock.monotonic()]
  }

  /** Notes that everything is known which the store had when it was asked. */
  noteStore(asked: Moment): void {
    if (this.hasStore && asked[1] > this.#store[1]) this.#store = asked
  }

  /**
   * The wall time that the newest evidence dates from. A reading of the store counts for `maxStaleness` alone, a seal for
   * the tolerance of clocks on top of it.
   *
   * @param sealedAt - When this node itself last sealed the head, where that is evidence.
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

  // What is as old by the steady clock is as old. After a step back it cannot be told how old it is.
  #aged([wall, steady]: Moment): Moment {
    const { clock, toleranceMs } = this.#options
    const now = clock.judged()
    if (wall > now + toleranceMs) return NEVER
    return [Math.min(wall, now + toleranceMs - (clock.monotonic() - steady)), steady]
  }
}
