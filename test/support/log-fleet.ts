/**
 * A fleet on a log that a test can tamper with, each node of it on a line that a test can cut.
 *
 * @module
 */
import type { Watchword } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import type { Store } from 'watchword/store'
import { type ChaosFeed, type ChaosLog, chaosFeed, chaosLog } from 'watchword/testkit'
import { ACTOR, around, drive, type Fleet, issueOn, newFleet, type Options } from './fleet.js'

export const MAX_STALENESS_MS = 1000
export const TOLERANCE_MS = 200

/** One node, and its line to the log. */
export interface Node {
  readonly watchword: Watchword
  readonly feed: ChaosFeed
}

/** A fleet, and its log. */
export interface LogFleet extends Fleet {
  readonly log: ChaosLog
  /** Starts a node, on a feed over the log with some of its methods replaced. */
  startNode(options?: Options, changes?: Partial<RevocationFeed>): Promise<Node>
  /** Issues a token and revokes it, both on that node. */
  revokeOne(node: Node): Promise<string>
  /** Lets this time pass. */
  pass(ms: number): Promise<void>
  /**
   * Waits until these nodes are live at once, for up to one lease: where no store vouches for the log, a node may be
   * stale until the next seal of another.
   */
  untilLive(nodes: readonly Node[]): Promise<void>
  /** Ends a node as a killed process ends: without a word. */
  kill(node: Node): Promise<void>
}

/** Makes one; with a store that outlives its processes, or without. */
export async function newLogFleet({
  durable = true,
  ...shared
}: LogOptions = {}): Promise<LogFleet> {
  const fleet = await newFleet(shared)
  const { clock } = fleet
  const log = chaosLog()
  const store: Store = { ...around(fleet.store), supports: { durable } }
  return {
    ...fleet,
    log,
    async startNode(options, changes) {
      const feed = chaosFeed({ ...log.feed(), ...changes }, 'calm', { clock })
      feed.calm()
      const started = fleet.start({
        feed,
        store,
        maxStaleness: MAX_STALENESS_MS,
        clockTolerance: TOLERANCE_MS,
        ...options,
      })
      return { feed, watchword: await drive(clock, started) }
    },
    async revokeOne({ watchword }) {
      const { token } = await issueOn(watchword)
      await drive(clock, watchword.revoke({ token }, ACTOR))
      return token
    },
    pass: (ms) => clock.advance(ms),
    async untilLive(nodes) {
      const areLive = () => nodes.every(({ watchword }) => watchword.health().status === 'live')
      for (let left = MAX_STALENESS_MS / 50; left > 0 && !areLive(); left--) await clock.advance(50)
    },
    async kill({ watchword, feed }) {
      feed.partition()
      await drive(clock, watchword.close())
    },
    close: () => drive(clock, fleet.close()),
  }
}

interface LogOptions extends Options {
  readonly durable?: boolean
}
