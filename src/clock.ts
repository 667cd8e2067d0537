/**
 * Time: the one place that reads the system's clocks and sets timers.
 *
 * @module
 */
import { WatchwordError } from './errors.js'

/** Where the library gets time from. Everything but `now` has a default. */
export interface Clock {
  /** Wall time in Unix milliseconds. */
  now(): number
  /** Milliseconds that only go forward, from any origin. Default: `performance.now`. */
  monotonic?(): number
  /** Calls back once after `delayMs`. Default: `setTimeout`, without keeping the process alive. */
  setTimer?(callback: () => void, delayMs: number): Timer
}

/** A timer that was set. */
export interface Timer {
  cancel(): void
}

/** A clock with every method, and with a wall time for judging that does not fall back. */
export interface ResolvedClock {
  /** Wall time in Unix milliseconds, as the source tells it: for stamping. */
  now(): number
  /** Wall time for judging expiry: held at its highest value when the source steps back by at most {@link HOLD_MS}. */
  judged(): number
  monotonic(): number
  setTimer(callback: () => void, delayMs: number): Timer
  /** Called when the wall clock was stepped back by more than {@link HOLD_MS}, and is believed. */
  onStepBack: () => void
}

/**
 * How far the wall clock may step back before the earlier time is believed. Inside it, an expired token stays expired
 * whatever the clock does; beyond it, the jump forward was the mistake, and holding on to it would refuse every
 * token until the real time has caught up.
 */
export const HOLD_MS = 3_600_000

/** Between two looks a minute or so apart, a time server slews the clock by less than this. */
const DRIFT_MS = 5_000

/** The clock of the machine. */
export const systemClock: Clock = { now: Date.now }

/** Fills in what a caller's clock leaves out. */
export function resolveClock(source: Clock): ResolvedClock {
  let highest = Number.NEGATIVE_INFINITY
  // Bound once: each verification asks for both times, and a call through two closures costs as much as the clock.
  const read = source.now === Date.now ? Date.now : wholeMilliseconds(source)
  const monotonic = source.monotonic?.bind(source) ?? performance.now.bind(performance)
  const clock: ResolvedClock = {
    now() {
      const time = read()
      if (time < Number.POSITIVE_INFINITY) return time
      throw new WatchwordError('ERR_INVALID_OPTION', 'clock: now() answered no time')
    },
    monotonic,
    judged() {
      const time = read()
      if (time >= highest) highest = time
      else if (highest - time > HOLD_MS) {
        highest = time
        clock.onStepBack()
      }
      return highest
    },
    setTimer: source.setTimer
      ? (callback, delayMs) => source.setTimer?.(callback, delayMs) as Timer
      : systemTimer,
    onStepBack: () => {},
  }
  return clock
}

/**
 * Wall time for what cannot be undone, such as forgetting: a wall clock that leaps ahead of the steady one is believed
 * only when it has stayed there for {@link HOLD_MS}, since it may come back.
 */
export function certainTime(clock: ResolvedClock): () => number {
  let lead = clock.now() - clock.monotonic()
  let aheadSince = Number.POSITIVE_INFINITY
  return () => {
    const monotonic = clock.monotonic()
    const current = clock.now() - monotonic
    const leapt = current - lead > DRIFT_MS
    aheadSince = leapt ? Math.min(aheadSince, monotonic) : Number.POSITIVE_INFINITY
    if (!leapt || monotonic - aheadSince >= HOLD_MS) {
      lead = current
      aheadSince = Number.POSITIVE_INFINITY
    }
    return Math.floor(lead + monotonic)
  }
}

// A clock that answers no number would compare as neither before nor after anything, and let everything pass: it counts
// as the end of time, at which everything has expired.
function wholeMilliseconds(source: Clock): () => number {
  return () => {
    const time = Math.floor(source.now())
    return time >= 0 ? time : Number.POSITIVE_INFINITY
  }
}

function systemTimer(callback: () => void, delayMs: number): Timer {
  const timer = setTimeout(callback, delayMs)
  timer.unref()
  return { cancel: () => clearTimeout(timer) }
}
