/**
 * The broker that has the log, or two of them: a replica that was promoted while the primary lives on takes writes as
 * well, and each of the two has nodes that see it and not the other one.
 *
 * @module
 */
import type { RevocationFeed } from '../../src/feed/feed.js'
import { type ChaosLog, chaosLog } from '../../src/testkit/chaos/log.js'

/** One side of the broker. */
export interface Side {
  readonly log: ChaosLog
  readonly feed: RevocationFeed
}

const newSide = (): Side => {
  const log = chaosLog()
  return { log, feed: log.feed() }
}

/** Everything that keeps the log of a world. */
export class Broker {
  #primary = newSide()
  #promoted: Side | undefined

  /** The log, as the primary has it. */
  get log(): ChaosLog {
    return this.#primary.log
  }

  /** Every log that there is. */
  get logs(): readonly ChaosLog[] {
    return this.#promoted === undefined ? [this.log] : [this.log, this.#promoted.log]
  }

  get isSplit(): boolean {
    return this.#promoted !== undefined
  }

  /** Where a node is led to. */
  sideOf(isAstray: boolean): Side {
    return (isAstray ? this.#promoted : undefined) ?? this.#primary
  }

  /** Promotes a replica that has not heard of the last events, and leaves the primary as it is. */
  split(lag: number): void {
    const { log } = this
    const promoted = newSide()
    const restore = log.backup()
    if (lag > 0) log.rollback(lag)
    const { head, floor, events, chunks } = log
    Object.assign(promoted.log, { head, floor, events, chunks })
    restore()
    this.#promoted = promoted
  }

  /** One side is the log from here on, and what the other one took in is lost. */
  heal(isPromotedKept: boolean): void {
    this.#primary = this.sideOf(isPromotedKept)
    this.#promoted = undefined
  }
}
