/**
 * The life of this process in the store: what it counted, from when to when, and what it lost.
 *
 * A report may only say that a token was not used in an interval that is covered by every life that could have accepted
 * it. That holds because of these rules:
 * - A process announces its life before it counts. From then on every report knows that it exists, and its interval is
 *   open until it reports more.
 * - It moves `to` forward only after every row with the counts before `to` was written, and it names what it dropped.
 *   A crash, a lost write or an outage therefore leaves an interval that no life covers.
 * - Times are those of the clock that dates the counts. While that clock is known to be wrong, `to` moves only together
 *   with a gap, and a life ends at the corrected time if that is later. After a step forward, the time since the clock
 *   was last known to be right is a gap, because uses in it may be dated earlier. After a step back a new life begins,
 *   since the old one may cover a time that is still to come. A step takes no time: its millisecond is always lost.
 * - Other processes see that a life continues only by its `to`. If that did not move for long enough that another process
 *   may have ended the life, a new one begins. A process that covers nothing therefore moves `to` with a gap.
 * - Only `lost-lives.ts` ends the life of another process, and the interval from `to` to that end stays open
 *   indefinitely.
 *
 * Clocks that agree may differ by the tolerance of the fleet, and so may the ends of an interval.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import { MINUTE } from '../../lib/duration.js'
import type { UsageGap, UsageLife } from '../../store/usage.js'

/** A larger change between the wall clock and the monotonic clock is a step. */
const STEP_MS = 5_000
/** Losses that are less than this apart are one gap. */
const JOIN_MS = MINUTE
const MAX_GAPS = 64

/** Options of the lives. */
export interface LivesOptions {
  readonly clock: ResolvedClock
  readonly node: string
  /** Creates the id of a life that begins at this time. */
  readonly newLife: (at: number) => string
  /** Whether this node's clock is not known to be wrong. */
  readonly agrees: () => boolean
  /** Whether the store has a clock, so that `agrees` is certain. */
  readonly isCertain: boolean
  /** The current time, corrected if this node's clock is known to be wrong. */
  readonly stamp: () => number
  /** How long a life may be silent before it is no longer continued. */
  readonly maxSilenceMs: number
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The lives of one process: one, or several after steps of the clock. */
export class Lives {
  readonly #options: LivesOptions
  #current: Writable<UsageLife>
  #isAnnounced = false
  /** Earlier lives of this process whose end is not in the store yet. */
  #former: UsageLife[] = []
  // The readings of both clocks at the last comparison.
  #reading: number
  #steady: number
  // The `to` of the current life that the store knows, and since when: other processes see no other sign of life.
  #shown = 0
  #shownAt = 0
  /** The time since which uses may be dated wrongly, by a step that is perhaps undone. */
  #strayedFrom: number | undefined
  /** Whether the last write covered every count of the current life. */
  #isCovered = false

  constructor(options: LivesOptions) {
    this.#options = options
    const { clock } = options
    this.#reading = clock.reading()
    this.#steady = clock.monotonic()
    this.#current = this.#begin(this.#reading)
  }

  /** Begins the first life, before anything is counted. */
  start(): void {
    const { clock } = this.#options
    this.#reading = clock.reading()
    this.#steady = clock.monotonic()
    this.#current = this.#begin(this.#reading)
  }

  /** The current life. */
  get current(): UsageLife {
    return this.#current
  }

  /** Whether the store knows the current life. */
  get isAnnounced(): boolean {
    return this.#isAnnounced
  }

  /** Whether this life belongs to this process. */
  isOwn(life: string): boolean {
    return life === this.#current.life || this.#former.some((each) => each.life === life)
  }

  #begin(at: number): Writable<UsageLife> {
    // With a clock that is ahead, the life would begin after its first uses.
    const from = Math.max(0, Math.floor(Math.min(at, this.#stamp())))
    this.#isCovered = false
    this.#shown = from
    this.#shownAt = this.#options.clock.monotonic()
    const life = this.#options.newLife(from)
    return { life, node: this.#options.node, from, to: from, endedAt: null, gaps: [] }
  }

  /** The current time, corrected if possible. Never throws. */
  #stamp(): number {
    try {
      return this.#options.stamp()
    } catch {
      return this.#options.clock.reading()
    }
  }

  /**
   * The end of a life that has uncovered uses until this time of the own clock. If that clock is behind, the uses were
   * made later than it says. The last millisecond may have uses too.
   */
  #endOf(at: number): number {
    return Math.floor(Math.max(this.#current.to, at, this.#stamp())) + 1
  }

  /** Records that some counts between these times are lost. */
  lose(from: number, to: number): void {
    if (to > from) this.#current.gaps = joined([...this.#current.gaps, { from, to }])
  }

  /** Compares a time that dates a use: a step may be undone before the counts are written. */
  compare(now: number): void {
    const expected = this.#reading + (this.#options.clock.monotonic() - this.#steady)
    if (!(Math.abs(now - expected) <= STEP_MS)) this.#strayedFrom ??= this.#current.to
  }

  /** Compares the clocks before counts are written. Returns whether a new life began. */
  look(): boolean {
    const { clock, isCertain } = this.#options
    const reading = clock.reading()
    const steady = clock.monotonic()
    const elapsed = steady - this.#steady
    const expected = this.#reading + elapsed
    this.#reading = reading
    this.#steady = steady
    const strayedFrom = this.#strayedFrom
    this.#strayedFrom = undefined
    const isSteady = Math.abs(reading - expected) <= STEP_MS
    if (isSteady && strayedFrom === undefined) return false
    // A step takes no time, so the millisecond of this reading is part of what is lost.
    const end = reading + 1
    if (!isSteady && reading < expected) {
      this.#replace(reading - elapsed, this.#endOf(expected))
      if (strayedFrom !== undefined) this.lose(Math.min(this.#current.from, strayedFrom), end)
      return true
    }
    // Without a store clock, this one may have been behind since the life began. A monotonic clock that fails proves
    // nothing either.
    const { from, to } = this.#current
    this.lose(isCertain ? Math.min(to, reading, strayedFrom ?? to) : from, end)
    return false
  }

  #replace(from: number, endedAt: number): void {
    this.#former.push({ ...this.#current, endedAt })
    this.#current = this.#begin(from)
    this.#isAnnounced = false
  }

  /** The lives to write before any row: the current one, unless the store knows it. */
  announcement(): UsageLife | undefined {
    return this.#isAnnounced ? undefined : { ...this.#current, to: this.#current.from }
  }

  /** Records that the store knows the current life. */
  announced({ life }: UsageLife): void {
    if (life === this.#current.life) this.#isAnnounced = true
  }

  /** Moves `to` forward to a time before which all counts are in the store. */
  cover(at: number): void {
    this.#isCovered = this.#options.agrees()
    if (this.#isCovered) this.#current.to = Math.max(this.#current.to, at)
  }

  /**
   * Keeps the current life from looking like one that was lost: a life that covers nothing for long gives up the time
   * since `to`, and one that was silent for too long is replaced at this time. Returns whether a new life began.
   */
  renew(at: number): boolean {
    const { clock, maxSilenceMs } = this.#options
    const silentMs = clock.monotonic() - this.#shownAt
    if (!this.#isCovered && silentMs > maxSilenceMs / 3) this.#giveUp()
    if (silentMs <= maxSilenceMs) return false
    this.#replace(at, this.#isCovered ? Math.max(this.#current.to, at) : this.#endOf(at))
    return true
  }

  #giveUp(): void {
    const { to } = this.#current
    const now = Math.floor(this.#stamp())
    this.lose(to, now)
    this.#current.to = Math.max(to, now)
  }

  /** Ends the current life. What it did not cover stays a gap, even if it lasted for less than a millisecond. */
  end(at: number): void {
    this.#current.endedAt = this.#isCovered ? Math.max(this.#current.to, at) : this.#endOf(at)
  }

  /** The lives to write after the rows: former ones, then the current one. */
  pending(): readonly UsageLife[] {
    return [...this.#former, { ...this.#current }]
  }

  /** Records that a life was written as it was returned by `pending`. */
  written(life: UsageLife): void {
    if (life.life === this.#current.life && life.to > this.#shown) {
      this.#shown = life.to
      this.#shownAt = this.#options.clock.monotonic()
    }
    this.#former = this.#former.filter((each) => each !== life)
  }
}

/** Gaps in ascending order, joined where they meet, and further while there are too many. */
function joined(gaps: readonly UsageGap[]): readonly UsageGap[] {
  const sorted = [...gaps].sort((a, b) => a.from - b.from)
  let apart = JOIN_MS
  let result = joinedWithin(sorted, apart)
  while (result.length > MAX_GAPS) {
    apart *= 2
    result = joinedWithin(sorted, apart)
  }
  return result
}

function joinedWithin(sorted: readonly UsageGap[], apart: number): readonly UsageGap[] {
  const result: Writable<UsageGap>[] = []
  for (const { from, to } of sorted) {
    const last = result.at(-1)
    if (last !== undefined && from - last.to <= apart) last.to = Math.max(last.to, to)
    else result.push({ from, to })
  }
  return result
}
