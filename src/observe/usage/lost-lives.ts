/**
 * Ends the lives of other processes that ended without a report of their own, such as after a crash.
 *
 * A life stays open until it is certain that its process accepts no more tokens. Ended too early, a report would miss
 * uses after that end. Another process ends it only if, for a whole hour,
 * - the ending process read the feed to its head, at every check, with proof that it is not one side of a split,
 * - the feed had no entry of the process, although a running one renews it about twice a minute,
 * - the life's `to` did not move, although a running process that reaches the store moves it within half of that time,
 * and if the process stops accepting tokens at the latest an hour after it lost the feed: with `onStale: 'reject'`,
 * `onStart` other than `'accept'`, and a feed that other processes share. No requirement may then extend `maxStaleness`
 * beyond an hour. What remains is a process that for an hour can read the feed and write neither to the feed nor to the
 * store, and then ends without ever writing again.
 *
 * The interval from the last report of the process to this end is a gap permanently.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import { HOUR } from '../../lib/duration.js'
import type { UsageLife, UsageStore } from '../../store/usage.js'
import type { StoreCall } from '../failures.js'
import { isLifeOf, stopsWithFeed } from './life-id.js'

/** How long a process must be silent before another one ends its life. */
export const SILENCE_MS = HOUR
/** A longer pause between two checks could hide a process that came back: an entry in the feed lasts this long. */
const MAX_PAUSE_MS = 120_000

/** Options for ending lost lives. */
export interface LostLivesOptions {
  readonly clock: ResolvedClock
  readonly part: Pick<UsageStore, 'listLives' | 'mergeLife'>
  readonly call: StoreCall
  /** Whether a life belongs to this process. */
  readonly isOwn: (life: string) => boolean
  /** The members of the feed whose entries have not ended; `undefined` while this node cannot know them. */
  readonly members: () => readonly string[] | undefined
}

interface Silent {
  /** Since when, on the monotonic clock. */
  readonly since: number
  readonly to: number
}

/** Watches the lives of other processes. */
export class LostLives {
  readonly #options: LostLivesOptions
  #silent = new Map<string, Silent>()
  #checkedAt = Number.NEGATIVE_INFINITY

  constructor(options: LostLivesOptions) {
    this.#options = options
  }

  /** Ends lives that are certainly over. `now`: the agreed time. */
  async check(now: number): Promise<void> {
    const { part, call, clock } = this.#options
    const lives = this.#options.members() === undefined ? [] : await this.#open(now)
    // Read afterwards, so a process that started meanwhile is known.
    const members = this.#options.members()
    const steady = clock.monotonic()
    const before =
      steady - this.#checkedAt <= MAX_PAUSE_MS ? this.#silent : new Map<string, Silent>()
    this.#silent = new Map()
    this.#checkedAt = steady
    if (members === undefined) return
    for (const life of lives) {
      if (members.some((member) => isLifeOf(life.life, member))) continue
      const known = before.get(life.life)
      const silent = known?.to === life.to ? known : { since: steady, to: life.to }
      this.#silent.set(life.life, silent)
      if (!(steady - silent.since >= SILENCE_MS)) continue
      const endedAt = Math.max(life.to, now)
      await call(() => part.mergeLife({ ...life, endedAt }), 'usage')
    }
  }

  async #open(now: number): Promise<readonly UsageLife[]> {
    const { part, call, isOwn } = this.#options
    const lives = await call(() => part.listLives(now))
    return lives.filter(
      ({ life, endedAt }) => endedAt === null && stopsWithFeed(life) && !isOwn(life),
    )
  }
}
