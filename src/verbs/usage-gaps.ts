/**
 * Reads how much of an interval the recorded usage covers.
 *
 * @module
 */
import { MAX_SKEW_MS } from '../keys/rotation.js'
import { MINUTE } from '../lib/duration.js'
import { readLives } from '../store/checked-usage.js'
import type { UsageLife, UsageStore } from '../store/usage.js'
import type { Core } from './core.js'
import { type CoverageGap, gapsOf, type UsageWindow } from './usage-coverage.js'

/** The usage of this process. */
export interface OwnUsage {
  readonly part: UsageStore
  /** The current life of this process. */
  readonly life: () => UsageLife
  /** Writes the counts of this process. Resolves with the time up to which they are written. */
  readonly flush: () => Promise<number>
  /** The members of the feed. */
  readonly members: () => readonly { readonly life: string; readonly name: string }[]
}

// A running node writes once a minute. One that is behind for longer is a gap.
const SETTLED_WITHIN_MS = 5 * MINUTE

/**
 * Writes the counts of this process, and returns a window of this length that ends when every running node had written
 * its counts. Must run before the rows are read, which then have everything that the lives cover.
 */
export async function readWindow(
  core: Core,
  own: OwnUsage,
  lengthMs: number,
): Promise<UsageWindow> {
  const written = await own.flush().catch(() => undefined)
  const end = written ?? core.clock.now()
  const settled = end - SETTLED_WITHIN_MS
  const lives = await core.callStore(() => readLives(own.part, settled - lengthMs))
  const running = lives.filter((life) => life.endedAt === null && life.to > settled)
  // If the counts of this process could not be written, the gaps say so.
  const to = written === undefined ? end : Math.min(end, ...running.map((life) => life.to))
  const from = to - lengthMs
  return { from, to, gaps: await gapsAmong(core, own, { from, to, readAt: end, lives }) }
}

/** Reads the gaps of an interval. Must run before the rows are read, like {@link readWindow}. */
export async function readGaps(
  core: Core,
  own: OwnUsage,
  from: number,
  to: number,
): Promise<readonly CoverageGap[]> {
  const lives = await core.callStore(() => readLives(own.part, from))
  return gapsAmong(core, own, { from, to, readAt: to, lives })
}

/** An interval, and the lives that had not ended by its start. */
interface Span {
  readonly from: number
  readonly to: number
  readonly readAt: number
  readonly lives: readonly UsageLife[]
}

async function gapsAmong(
  { callStore, options }: Core,
  { part, life, members }: OwnUsage,
  { from, to, readAt, lives: listed }: Span,
): Promise<readonly CoverageGap[]> {
  const current = life()
  // A life that could not be announced.
  const isKnown = listed.some((each) => each.life === current.life)
  const lives = isKnown ? listed : [...listed, current]
  let firstLife = earliest(listed)
  if (firstLife === undefined || firstLife > from)
    firstLife = earliest(await callStore(() => readLives(part, 0)))
  return gapsOf({
    from,
    to,
    readAt,
    lives,
    firstLife,
    keptSince: to - options.usage.keepMs,
    members: members(),
    maxSkewMs: MAX_SKEW_MS,
  })
}

function earliest(lives: readonly UsageLife[]): number | undefined {
  return lives.length === 0 ? undefined : Math.min(...lives.map(({ from }) => from))
}
