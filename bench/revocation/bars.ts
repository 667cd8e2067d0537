/**
 * What the project wants to reach, and what a run found.
 *
 * @module
 */
import type { ApplyFigures } from './apply.js'
import type { HotFigures } from './hot.js'
import type { MemoryFigures } from './memory.js'
import type { PropagationFigures } from './propagation.js'
import type { StartUpFigures } from './startup.js'

/** What a run found; a case that was not asked for is missing. */
export interface Results {
  readonly propagation: Record<string, PropagationFigures>
  readonly startUp: Record<string, StartUpFigures>
  apply?: ApplyFigures
  hot?: HotFigures
  memory?: MemoryFigures
}

/** One bar and one goal. */
export interface Bar {
  readonly what: string
  readonly unit: string
  readonly value: number
  readonly bar: number
  readonly goal: number
  readonly better: 'more' | 'less'
}

/** Whether a value is as good as wanted. */
export const meets = ({ value, better }: Bar, wanted: number): boolean =>
  better === 'more' ? value >= wanted : value <= wanted

const P50_GOALS: Readonly<Record<string, number>> = { redis: 1, nats: 1.5, postgres: 5 }
const P99_GOALS: Readonly<Record<string, number>> = { redis: 5, nats: 10, postgres: 20 }
const NO_BAR = Number.POSITIVE_INFINITY

const less = (what: string, unit: string, value: number, bar: number, goal: number): Bar => ({
  what,
  unit,
  value,
  bar,
  goal,
  better: 'less',
})

/** Every bar that the results have a figure for. */
export function barsOf({ propagation, startUp, apply, hot, memory }: Results): Bar[] {
  const bars: Bar[] = []
  for (const [name, { ours, ratio }] of Object.entries(propagation)) {
    bars.push(
      less(`${name}: revoke → refused in 8 processes, p50, by the broker alone`, '×', ratio, 3, 3),
      less(
        `${name}: revoke → refused in 8 processes, p50`,
        'ms',
        ours.p50,
        NO_BAR,
        P50_GOALS[name] ?? 0,
      ),
      less(
        `${name}: revoke → refused in 8 processes, p99`,
        'ms',
        ours.p99,
        NO_BAR,
        P99_GOALS[name] ?? 0,
      ),
    )
  }
  for (const [name, { events, snapshot }] of Object.entries(startUp)) {
    const what = `${name}: a million revocations at start-up`
    bars.push(
      less(`${what}, a thousand to an event`, 'ms', events, 2000, 500),
      less(`${what}, from a snapshot`, 'ms', snapshot, 2000, 500),
    )
  }
  if (apply !== undefined) {
    const { entriesPerSecond, longestStallMs } = apply
    const rate = { what: 'entries applied', unit: '/s', value: entriesPerSecond }
    bars.push({ ...rate, bar: 150_000, goal: 500_000, better: 'more' })
    bars.push(less('longest stall while applying a million', 'ms', longestStallMs, 15, 8))
  }
  if (memory !== undefined) {
    bars.push(less('a revocation in memory', 'bytes', memory.bytesPerToken, 24, 16))
    bars.push(less('look-up, revoked', 'ns', memory.hitNs, 500, 200))
    bars.push(less('look-up, not revoked', 'ns', memory.missNs, 500, 200))
    bars.push(less('one read at random in as much memory', 'ns', memory.readNs, NO_BAR, NO_BAR))
  }
  if (hot !== undefined)
    bars.push(less('hot verify with all of them held, by none held', '×', hot.ratio, 1.3, 1.1))
  return bars
}
