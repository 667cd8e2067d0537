/**
 * The time that the nodes of a fleet agree on, for the parts that are created before the follower that knows it.
 *
 * @module
 */
import { type KeyDuty, MAX_SKEW_MS } from '../keys/rotation.js'
import type { ResolvedClock } from '../lib/clock.js'
import type { AgreedTime } from '../revocation/follower/agreed-time.js'

type Source = Pick<AgreedTime, 'certain' | 'keyDuty'>

/** Until the follower exists, no time is agreed. */
const NO_SOURCE: Source = { certain: () => undefined, keyDuty: 'need' }

/** The agreed time. */
export class FleetTime {
  #source = NO_SOURCE

  /** Sets the source: the follower's time. */
  follow(source: Source): void {
    this.#source = source
  }

  /** The time by which entries may be dropped; `undefined` while none is certain. */
  certain(): number | undefined {
    return this.#source.certain()
  }

  /** What this node may do with the keys. */
  get keyDuty(): KeyDuty {
    return this.#source.keyDuty
  }
}

/**
 * The latest time that a revocation by time may reach. While this node's clock is not known to be right, there is no
 * limit: a node whose clock is behind must not shorten correctly dated revocations.
 */
export function latestWatermark(clock: ResolvedClock, time: FleetTime): number {
  const agreed = time.certain()
  if (agreed === undefined) return Number.POSITIVE_INFINITY
  return Math.max(clock.judged(), agreed) + MAX_SKEW_MS
}
