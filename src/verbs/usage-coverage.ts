/**
 * The intervals of which a report of usage knows nothing.
 *
 * Everything is a gap unless a life covers it: what was before the first life, what a life lost, what it has not
 * reported yet, and every process that follows the feed and has no life.
 *
 * @module
 */
import { isLifeOf } from '../observe/usage/life-id.js'
import type { UsageLife } from '../store/usage.js'

/** An interval of which a report knows nothing. */
export interface CoverageGap {
  /** The node whose counts are missing; `null` for all nodes: from before counts were kept. */
  readonly node: string | null
  /** Unix milliseconds. */
  readonly from: number
  /** Unix milliseconds. */
  readonly to: number
}

/** An interval in Unix milliseconds, and what is not known about it. */
export interface UsageWindow {
  readonly from: number
  readonly to: number
  readonly gaps: readonly CoverageGap[]
}

/** What is known about the lives. */
export interface LivesKnown {
  /** The interval of the report. */
  readonly from: number
  readonly to: number
  /** When the lives were read, by the clock of this node. */
  readonly readAt: number
  /** The time before which counts were removed. */
  readonly keptSince: number
  /** The start of the first life that is kept; `undefined` if there is none. */
  readonly firstLife: number | undefined
  /** The lives that had not ended by `from`. */
  readonly lives: readonly UsageLife[]
  /** The members of the feed. */
  readonly members: readonly { readonly life: string; readonly name: string }[]
  /** How far the clocks of two nodes may differ, in milliseconds. */
  readonly maxSkewMs: number
}

/** The gaps of a report, in ascending order; those of one node are joined where they meet. */
export function gapsOf(known: LivesKnown): readonly CoverageGap[] {
  const { from, to, lives, members, firstLife, keptSince } = known
  const gaps: CoverageGap[] = [
    { node: null, from, to: Math.max(keptSince, firstLife ?? to) },
    ...lives.flatMap((life) => gapsOfLife(life, known)),
    ...members.flatMap(({ life, name }) => gapOfMember(life, name, known)),
  ]
  const clipped = gaps.map((gap) => ({
    node: gap.node,
    from: Math.max(gap.from, from),
    to: Math.min(gap.to, to),
  }))
  return joined(clipped.filter((gap) => gap.from < gap.to))
}

function gapsOfLife(life: UsageLife, { from, to, readAt, maxSkewMs }: LivesKnown): CoverageGap[] {
  const { node } = life
  // Its clock is ahead, so it is not known when it counted.
  if (life.to > readAt + maxSkewMs) return [{ node, from, to }]
  const lost = life.gaps.map((gap) => ({ node, from: gap.from, to: gap.to }))
  return [...lost, { node, from: life.to, to: life.endedAt ?? to }]
}

// Such a process runs an older version, or its store refuses the life.
function gapOfMember(member: string, node: string, { from, to, lives }: LivesKnown): CoverageGap[] {
  const own = lives.filter(({ life }) => isLifeOf(life, member))
  if (own.some(({ endedAt }) => endedAt === null)) return []
  const covered = own.map((life) => Math.max(life.to, life.endedAt ?? 0))
  return [{ node, from: Math.max(from, ...covered), to }]
}

function joined(gaps: readonly CoverageGap[]): readonly CoverageGap[] {
  const ends = new Map<string | null, { node: string | null; from: number; to: number }>()
  const result: CoverageGap[] = []
  for (const gap of [...gaps].sort((a, b) => a.from - b.from)) {
    const last = ends.get(gap.node)
    if (last !== undefined && gap.from <= last.to) last.to = Math.max(last.to, gap.to)
    else {
      const own = { ...gap }
      ends.set(gap.node, own)
      result.push(own)
    }
  }
  return result
}
