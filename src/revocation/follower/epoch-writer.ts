/**
 * The epoch writer: starts a new epoch of the log, and seals heads for it.
 *
 * @module
 */

import type { Position, SealedHead } from '../../feed/feed.js'
import type { FeedClient } from '../log/feed-client.js'
import { sealHead, ZERO_LINK } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'
import type { FollowerOptions } from './follower-options.js'
import type { Replica } from './replica.js'

const MAX_ATTEMPTS = 100

/** Replaces a snapshot position with a value that no log can have: missing entries are still being republished. */
export const INCOMPLETE = 2 ** 48 - 1

/** The result of starting an epoch. `late`: another node was first. */
export type EpochStart = 'late' | 'incomplete' | 'complete'

/** Options of the epoch writer. */
export interface EpochWriterOptions extends Pick<FollowerOptions, 'keys' | 'index'> {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly time: AgreedTime
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  /** The name of a new epoch. */
  readonly newEpoch: () => string
}

/** Starts epochs. */
export class EpochWriter {
  readonly #options: EpochWriterOptions

  constructor(options: EpochWriterOptions) {
    this.#options = options
  }

  /**
   * Starts a new epoch in place of the current one. The log accepts one of several concurrent nodes; the others find
   * its epoch on the next read.
   *
   * @param current - The head to replace; `null` if there is no log.
   * @param isTorn - Whether the log has lost events. Nodes that have read these events detect no gap and keep
   * appending, so this node retries for each head that they write.
   * @returns Whether this node was first and, if so, whether the epoch lacks entries that this node has.
   */
  async start(current: SealedHead | null, isTorn: boolean): Promise<EpochStart> {
    const { keys, replica, index, newEpoch } = this.#options
    await keys.ready()
    const epoch = newEpoch()
    const isIncomplete = replica.shadow !== undefined && index.size > 0
    const next = this.#seal({ epoch, seq: 0, link: ZERO_LINK }, 1, isIncomplete ? INCOMPLETE : 0)
    if (!(await this.#replace(current, next, isTorn ? MAX_ATTEMPTS : 1))) return 'late'
    replica.enter(epoch)
    if (isIncomplete) replica.snapshotSeq = INCOMPLETE
    return isIncomplete ? 'incomplete' : 'complete'
  }

  /** Seals a head of the epoch that this node follows, at its own position. */
  async sealPosition(): Promise<SealedHead> {
    const { keys, replica } = this.#options
    await keys.ready()
    return this.#seal(replica.position, replica.floor, replica.snapshotSeq)
  }

  async #replace(current: SealedHead | null, next: SealedHead, attempts: number) {
    let expected = current
    for (let attempt = 0; attempt < attempts; attempt++) {
      const appended = await this.#options.feedClient.append(expected, [], next)
      if (appended.ok) return true
      if (appended.head?.epoch !== expected?.epoch) return false
      expected = appended.head
    }
    return false
  }

  #seal({ epoch, seq, link }: Position, first: number, second: number): SealedHead {
    const { keys, time, writer } = this.#options
    const header = { epoch, seq, link, at: time.stamp(), first, second, writer }
    return sealHead(keys, header, time.vouched())
  }
}
