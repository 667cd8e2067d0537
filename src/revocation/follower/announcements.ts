/**
 * Announcements: entries that this node recently appended, so the same entry is not appended again.
 *
 * A holder can repeat a rotation, and anyone can repeat a leak report, without limit. Only the first one is appended.
 * The memory is bounded: a forgotten entry is appended once more, which is harmless.
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

/** Appends entries to the log; a follower implements it. */
export interface Announcer {
  /** Resolves with a position at which the log has the entries. */
  publish(entries: readonly RevocationEntry[]): Promise<Position>
  /** Whether the entry, or one of the same target, is pending. */
  isPending(entry: RevocationEntry): boolean
  /** The last event of the log that this node has applied. */
  readonly position: Position
}

/** Options of the announcements. */
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
   * Whether the log already has the entry or a stronger one, read from the log or appended by this node. Call it before
   * adding the entry to this node's index.
   */
  isKnown(entry: RevocationEntry): boolean {
    const { index, follower } = this.#options
    if (this.#known(entry) !== undefined) return true
    // The index also has this node's own revocations, which the log may lack.
    return !this.#pending.has(targetOf(entry)) && !follower.isPending(entry) && index.covers(entry)
  }

  /**
   * Appends the entry unless this node has done so or is doing so. Resolves with a position at which the log has it;
   * rejects like the append.
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

  // A known entry may be missing in another epoch.
  #known(entry: RevocationEntry): Position | undefined {
    const announced = this.#announced.get(targetOf(entry))
    if (announced === undefined || reachesFurther(entry, announced.entry)) return undefined
    const { epoch } = this.#options.follower.position
    return announced.position.epoch === epoch ? announced.position : undefined
  }
}
