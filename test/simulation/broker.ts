/**
 * The simulated broker. After a split there are two: the old primary and a promoted replica. Both accept writes, and
 * each node reaches only one of them.
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

/** The broker of a world, with every log that it has. */
export class Broker {
  #primary = newSide()
  #promoted: Side | undefined

  /** The log of the primary. */
  get log(): ChaosLog {
    return this.#primary.log
  }

  /** All logs. */
  get logs(): readonly ChaosLog[] {
    return this.#promoted === undefined ? [this.log] : [this.log, this.#promoted.log]
  }

  get isSplit(): boolean {
    return this.#promoted !== undefined
  }

  /** The log that a node reaches. */
  sideOf(isAstray: boolean): Side {
    return (isAstray ? this.#promoted : undefined) ?? this.#primary
  }

  /** Promotes a replica that lacks the last events. The primary keeps running. */
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

  /** Keeps the log of one side. Events that the other side accepted during the split are lost. */
  heal(isPromotedKept: boolean): void {
    this.#primary = this.sideOf(isPromotedKept)
    this.#promoted = undefined
  }
}
