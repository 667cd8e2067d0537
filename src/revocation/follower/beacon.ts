/**
 * The beacon: when this node signs what the log ends with. A seal tells the other nodes that this one reads the same log
 * as they do, and it is no evidence for the node that made it.
 *
 * @module
 */
import { type RevocationFeed, type SealedHead, sameBytes } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import type { Opened } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'
import type { Members } from './members.js'

/** Options of the beacon. */
export interface BeaconOptions {
  readonly feed: RevocationFeed
  readonly clock: ResolvedClock
  readonly time: AgreedTime
  readonly members: Members
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  readonly maxStalenessMs: number
  /** A number in [0, 1). */
  readonly random: () => number
}

/**
 * A seal older than this, or than a fifth of a lease, is refreshed by the first node that reads it and did not make it.
 * Each of two nodes then sees the other's seal twice per lease.
 */
const BEACON_MS = 2000
const BEACON_SHARE = 0.2
// How many times as long a node waits before it refreshes its own seal. Each new one makes the others wait again, so a
// node that needs their seals gives them time first.
const OWN_SHARES = 2
const NEEDY_SHARES = 4
// The same for an event in a log that only one node writes to.
const MONOLOGUE_SHARES = 1.5

/** Decides when this node signs. */
export class Beacon {
  readonly #options: BeaconOptions
  #beaconAt: number | undefined
  // The newest seal of an event or a head: who made it and when, by the clock of that node.
  #last: Pick<Opened, 'writer' | 'at'> | undefined
  // When this node first saw it, on the monotonic clock.
  #seenAt = Number.NEGATIVE_INFINITY
  // Since when only its writer has signed, on the monotonic clock, and whether that was more than once.
  #since = Number.NEGATIVE_INFINITY
  #isMonologue = false
  // Whether the newest seal has the writer of the one before it.
  #isContinued = false
  // Drawn for each seal, so that not all nodes sign at once.
  #delay = 1

  constructor(options: BeaconOptions) {
    this.#options = options
  }

  /** Processes the seal of a head. */
  note({ beaconAt }: SealedHead, opened: Opened): void {
    if (beaconAt === this.#beaconAt) return
    this.#beaconAt = beaconAt
    this.#see(opened, false)
  }

  /** Processes the seal of an event. */
  sign(event: Opened): void {
    this.#see(event, true)
  }

  #see({ writer, at }: Opened, isEvent: boolean): void {
    const last = this.#last
    const isSame = last !== undefined && sameBytes(last.writer, writer)
    if (isSame && last.at === at) {
      // A pull sees the head first, and then the event that it was sealed with.
      if (isEvent && this.#isContinued) this.#isMonologue = true
      return
    }
    this.#isContinued = isSame
    const now = this.#options.clock.monotonic()
    this.#last = { writer, at }
    this.#seenAt = now
    this.#delay = 1 + this.#options.random() / 2
    this.#isMonologue = isSame && (isEvent || this.#isMonologue)
    if (!isSame) this.#since = now
  }

  /** Whether this node's own seal is evidence: if the node is alone, or the log cannot split. */
  get isEvidence(): boolean {
    const { feed, members } = this.#options
    return feed.info.splits === false || members.alone
  }

  /**
   * Whether this node is to refresh the seal. A returning node reacts to another node's seal immediately, because that
   * node may be waiting for it.
   */
  isDue(wasFresh: boolean): boolean {
    return (!this.#isOwn && !wasFresh) || this.dueInMs < 0
  }

  /**
   * Whether one other node has been the only one to sign for long. The seal of a head lasts until the next event, so a
   * node that writes often sees no seals of others, and needs an event.
   */
  get isMonologue(): boolean {
    const { clock } = this.#options
    const spoken = clock.monotonic() - this.#since
    return this.#isMonologue && !this.#isOwn && spoken > MONOLOGUE_SHARES * this.#intervalMs
  }

  /** How long until the seal is due, in milliseconds; negative if it has been due since then. */
  get dueInMs(): number {
    const { clock, time } = this.#options
    const ownShares = this.isEvidence ? OWN_SHARES : NEEDY_SHARES
    const sealedAt = this.#last === undefined ? 0 : time.ownTimeOf(this.#last.at)
    // Also by the time since it was seen: a seal of a node whose clock is ahead would seem young for too long.
    const age = Math.max(clock.judged() - sealedAt, clock.monotonic() - this.#seenAt)
    return (this.#isOwn ? ownShares : 1) * this.#intervalMs - age
  }

  get #isOwn(): boolean {
    return this.#last !== undefined && sameBytes(this.#last.writer, this.#options.writer)
  }

  get #intervalMs(): number {
    return Math.min(BEACON_MS, this.#options.maxStalenessMs * BEACON_SHARE) * this.#delay
  }
}
