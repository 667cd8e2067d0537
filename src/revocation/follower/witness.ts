/**
 * The witness: evidence that this node reads the same log as the others, not one side of a split. A node's own seal is
 * not evidence while another member may be running. Nor is the seal of one member while another is silent: the first
 * two may be on one side together.
 *
 * @module
 */

import { type RevocationFeed, sameBytes } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { Opened } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'
import { NEVER, type TimeMark } from './freshness.js'
import type { Members } from './members.js'

/** The source of the evidence that this node reads the same log as the others. */
export type WitnessKind =
  /** Seals of other members. */
  | 'members'
  /** The store. */
  | 'store'
  /** This node's own seal: no other member may be running. */
  | 'self'
  /** There is no evidence. */
  | 'none'

/** Asks an adapter which server it runs on. */
type Identify = () => Promise<string | undefined>

/** Options of the witness. */
export interface WitnessOptions {
  readonly feed: RevocationFeed
  readonly clock: ResolvedClock
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  readonly time: AgreedTime
  readonly toleranceMs: number
  /** Reads the store, if there is one that outlives the process. */
  readonly reconcile: unknown
}

/** The state of the other members. */
type OtherMembers = Pick<Members, 'alone' | 'lostSome' | 'signedSince'>

/** The newest evidence of each kind. */
export class Witness {
  readonly #options: WitnessOptions
  #seals = NEVER
  #store = NEVER
  /** Whether the store can vouch for a log that can split: it is not known to run on the same server. */
  hasStore: boolean
  /** Whether store and log are known to run on one server. */
  sharesServer = false
  /** Whether the last reading of the store failed. */
  storeFails = false
  /** The source of the last proof. */
  kind: WitnessKind = 'none'

  constructor(options: WitnessOptions) {
    this.#options = options
    const { reconcile, feed } = options
    this.hasStore = reconcile !== undefined && feed.peek === undefined && feed.info.splits !== false
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

  /**
   * Processes an authentic seal. A seal dated in the future is not evidence, because it could be replayed until then.
   */
  note({ writer, at: sealedAt }: Opened): void {
    const { clock, time, toleranceMs } = this.#options
    const [newest] = this.#seals
    const at = time.ownTimeOf(sealedAt)
    if (at <= newest || sameBytes(writer, this.#options.writer)) return
    if (at <= clock.judged() + toleranceMs) this.#seals = [at, clock.monotonic()]
  }

  /** Records that this node has everything that the store had when it was read. */
  noteStore(asked: TimeMark): void {
    this.storeFails = false
    if (this.hasStore && asked[1] > this.#store[1]) this.#store = asked
  }

  /**
   * The wall time of the newest evidence, by the clock of its origin: it is valid for `maxStaleness` plus the clock
   * skew tolerance. The tolerance is therefore subtracted from evidence dated by this node's own clock.
   *
   * @param others - The other members.
   * @param sealedAt - When this node last sealed the head, if that is evidence.
   */
  newest(others: OtherMembers, sealedAt = Number.NEGATIVE_INFINITY): number {
    this.#seals = this.#aged(this.#seals, this.#options.toleranceMs)
    this.#store = this.#aged(this.#store)
    const store = this.#store[0] - this.#options.toleranceMs
    const members = this.#fromMembers(others)
    const own = this.#mayMissSome(others) ? Number.NEGATIVE_INFINITY : sealedAt
    const newest = Math.max(members, store, own)
    if (newest === Number.NEGATIVE_INFINITY) this.kind = 'none'
    else if (newest === members) this.kind = 'members'
    else this.kind = newest === store ? 'store' : 'self'
    return newest
  }

  // Without a store that can vouch, the seal of one member must suffice.
  #fromMembers(others: OtherMembers): number {
    const [newest] = this.#seals
    if (!this.hasStore) return newest
    if (others.alone || this.#mayMissSome(others)) return Number.NEGATIVE_INFINITY
    return Math.min(newest, this.#aged(others.signedSince)[0] - this.#options.toleranceMs)
  }

  // A lost member writes to the store from the other side of a split. While the store cannot be read, a member whose
  // entry has ended is assumed to have ended: otherwise no fleet would survive a killed node during an outage of the
  // store.
  #mayMissSome(others: OtherMembers): boolean {
    return this.hasStore && others.lostSome && !this.storeFails
  }

  // Evidence that is older on the monotonic clock is older. After a step back of the wall clock, its age is unknown.
  // `aheadMs` is how far the clock that dated it may be ahead of this node's.
  #aged([wall, steady]: TimeMark, aheadMs = 0): TimeMark {
    const { clock, toleranceMs } = this.#options
    const now = clock.judged()
    if (wall > now + toleranceMs) return NEVER
    return [Math.min(wall, now + aheadMs - (clock.monotonic() - steady)), steady]
  }
}
