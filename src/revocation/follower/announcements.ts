/**
 * Announcements: what this node has given to the log lately, so that the same is not appended again.
 *
 * A holder can repeat a rotation, and anyone a leak report, as often as they like. The first one goes into the log; the
 * ones after it find that the log has it. What is remembered is bounded, and an entry that was forgotten is appended
 * once more, which does no harm.
 *
 * @module
 */
import type { Position } from '../../feed/feed.js'
import { Recent } from '../../lib/recent.js'
import { type RevocationEntry, reachesFurther, targetOf } from '../index/entries.js'
import type { RevocationIndex } from '../index/revocation-index.js'

const MAX_REMEMBERED = 10_000

interface Announced {
  readonly entry: RevocationEntry
  readonly position: Position
}

interface Pending {
  readonly entry: RevocationEntry
  readonly position: Promise<Position>
}

/** What gives entries to the log; a follower does. */
export interface Announcer {
  /** Resolves with a position at which the log has the entries. */
  publish(entries: readonly RevocationEntry[]): Promise<Position>
  /** Whether the entry, or one of the same target, waits for the log. */
  owes(entry: RevocationEntry): boolean
  /** The last event of the log that this node has applied. */
  readonly position: Position
}

/** What announcing needs. */
export interface AnnouncementsOptions {
  readonly follower: Announcer
  readonly index: Pick<RevocationIndex, 'covers'>
}

/** The announcements of one node. */
export class Announcements {
  readonly #options: AnnouncementsOptions
  readonly #pending = new Map<string, Pending>()
  readonly #announced = new Recent<Announced>(MAX_REMEMBERED)

  constructor(options: AnnouncementsOptions) {
    this.#options = options
  }

  /**
   * Whether the log has the entry already, or one that covers as much: read from the log, or given to it by this node.
   * Ask before the entry is put into the index of this node.
   */
  isKnown(entry: RevocationEntry): boolean {
    const { index, follower } = this.#options
    if (this.#known(entry) !== undefined) return true
    // What this node revoked by itself is in its index too: then the log may have it, or not.
    return !this.#pending.has(targetOf(entry)) && !follower.owes(entry) && index.covers(entry)
  }

  /**
   * Gives the entry to the log, unless this node has done so, or is about to. Resolves with a position at which the log
   * has it; rejects as that does.
   */
  async announce(entry: RevocationEntry): Promise<Position> {
    const known = this.#known(entry)
    if (known !== undefined) return known
    const target = targetOf(entry)
    const pending = this.#pending.get(target)
    if (pending !== undefined && !reachesFurther(entry, pending.entry)) return pending.position
    const position = this.#options.follower.publish([entry])
    const mine = { entry, position }
    this.#pending.set(target, mine)
    try {
      this.#announced.set(target, { entry, position: await position })
      return await position
    } finally {
      if (this.#pending.get(target) === mine) this.#pending.delete(target)
    }
  }

  // In another epoch of the log it may be missing.
  #known(entry: RevocationEntry): Position | undefined {
    const announced = this.#announced.get(targetOf(entry))
    if (announced === undefined || reachesFurther(entry, announced.entry)) return undefined
    const { epoch } = this.#options.follower.position
    return announced.position.epoch === epoch ? announced.position : undefined
  }
}
