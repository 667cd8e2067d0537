/**
 * A clock that a test advances manually.
 *
 * @module
 */
import type { Clock, Timer } from '../lib/clock.js'

/** A clock under a test's control. */
export interface ManualClock extends Required<Clock> {
  /** Advances both clocks. Runs the due timers, each at its own time, and awaits the promises that they settle. */
  advance(ms: number): Promise<void>
  /** Steps only the wall clock, forward or back, like NTP or a resumed machine. Runs no timers. */
  step(ms: number): void
}

interface Pending {
  readonly at: number
  readonly callback: () => void
}

/** Creates a clock that starts at `start` (Unix milliseconds; default: 2026-01-01T00:00:00Z). */
export function manualClock(start: number = Date.UTC(2026, 0, 1)): ManualClock {
  let wall = start
  let monotonic = 0
  const timers = new Set<Pending>()

  function nextDue(until: number): Pending | undefined {
    let next: Pending | undefined
    for (const timer of timers)
      if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer
    return next
  }

  function moveTo(at: number): void {
    wall += at - monotonic
    monotonic = at
  }

  return {
    now: () => wall,
    monotonic: () => monotonic,
    setTimer(callback: () => void, delayMs: number): Timer {
      // Rounded up, because the wall clock returns whole milliseconds.
      const timer = { at: monotonic + Math.max(0, Math.ceil(delayMs)), callback }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    async advance(ms) {
      const until = monotonic + ms
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        timers.delete(timer)
        moveTo(Math.max(monotonic, timer.at))
        timer.callback()
        await settle()
      }
      moveTo(until)
      await settle()
    },
    step(ms) {
      wall += ms
    },
  }
}

// Lets all pending promises and immediates run.
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
