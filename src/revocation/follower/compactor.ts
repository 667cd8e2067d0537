/**
 * The compactor: bounds the size of the log.
 *
 * Expired events are trimmed. Older events that are still relevant go into a snapshot first. An event in the log
 * records where the log now begins, so no later head can claim otherwise.
 *
 * @module
 */
import type { Position } from '../../feed/feed.js'
import type { FeedEntry } from '../index/entries.js'
import { BLOCK } from '../log/block-expiry.js'
import type { FeedClient } from '../log/feed-client.js'
import { saveSnapshot } from '../log/snapshot.js'
import type { FollowerOptions } from './follower-options.js'
import type { Membership } from './membership.js'
import type { Replica } from './replica.js'

/** A shorter log is read in a fraction of a second and needs no snapshot. */
const MAX_LOG = 25_000
/**
 * The number of live revocations per event at which a snapshot is worthwhile. An event with one revocation takes about
 * 350 bytes and ten microseconds to read, a snapshot about twenty bytes and a fraction of a microsecond per revocation.
 * At this ratio a starting node spends about half of its time on events, and snapshots are about half of all writes.
 */
const ALIVE_AN_EVENT = 20
/** The number of events kept before a snapshot, for nodes that are slightly behind. */
const KEEP = 10_000
const LEASE_MS = 5 * 60_000

/** Options of the compactor. */
export interface CompactorOptions extends FollowerOptions {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly membership: Membership
  readonly append: (entries: readonly FeedEntry[]) => Promise<Position>
  /** The maximum length of a log without a snapshot, in events. Default: 25,000. */
  readonly maxLog?: number
}

/** Compacts one log on behalf of all nodes. */
export class Compactor {
  readonly #options: CompactorOptions
  #busy = false

  constructor(options: CompactorOptions) {
    this.#options = options
  }

  /** Does everything that is due at this time (Unix milliseconds, behind the clocks of all nodes). */
  async run(now: number): Promise<void> {
    const { feed, replica } = this.#options
    if (this.#busy || feed.trim === undefined || replica.shadow !== undefined) return
    this.#busy = true
    try {
      await this.#cutDead(now)
      if (feed.snapshot !== undefined && this.#isLong()) await this.#snapshot()
    } finally {
      this.#busy = false
    }
  }

  async #cutDead(now: number): Promise<void> {
    const { replica } = this.#options
    const dead = replica.expiredUpTo(now)
    if (dead - replica.floor >= 4 * BLOCK) await this.#cut(dead, [])
  }

  #isLong(): boolean {
    const { replica, index, maxLog = MAX_LOG } = this.#options
    const length = replica.position.seq - Math.max(replica.floor, replica.snapshotSeq)
    return length > Math.max(maxLog, index.size / ALIVE_AN_EVENT)
  }

  // One node compacts at a time: each announces it in the log, and the first announcement wins.
  async #snapshot(): Promise<void> {
    const {
      feedClient,
      keys,
      clock,
      replica,
      index,
      membership,
      append,
      maxLog = MAX_LOG,
    } = this.#options
    if (!membership.compaction.mayLead()) return
    await append([{ kind: 'lease', value: membership.text, until: clock.now() + LEASE_MS }])
    if (!membership.compaction.leads()) return
    const { position } = replica
    await saveSnapshot({ feedClient, keys, clock, position, entries: index.entries() })
    const upTo = Math.max(replica.floor - 1, position.seq - Math.min(KEEP, maxLog))
    await this.#cut(upTo, [{ kind: 'snapshot', value: membership.text, until: position.seq }])
  }

  async #cut(upTo: number, also: readonly FeedEntry[]): Promise<void> {
    const { feedClient, append, membership } = this.#options
    // The trimmed events may be the only record of the members.
    await append([
      ...membership.entries(),
      ...also,
      { kind: 'trim', value: membership.text, until: upTo + 1 },
    ])
    await feedClient.trim(upTo)
  }
}
