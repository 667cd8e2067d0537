/**
 * Time: the only module that reads the system's clocks and sets timers.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { readField } from './fields.js'

/** The library's source of time. Everything but `now` has a default. */
export interface Clock {
  /** Wall time in Unix milliseconds. */
  now(): number
  /** Monotonic milliseconds, from any origin. Default: `performance.now`. */
  monotonic?(): number
  /** Calls back once after `delayMs`. Default: `setTimeout`, without keeping the process alive. */
  setTimer?(callback: () => void, delayMs: number): Timer
}

/** A timer. */
export interface Timer {
  cancel(): void
}

/** A clock with every method, and with a wall time for expiry that does not go back. */
export interface ResolvedClock {
  /** Wall time in Unix milliseconds, as reported by the source. For timestamps. */
  now(): number
  /** Like `now`, but returns the last valid reading if the source returns no time. Never throws. For messages. */
  reading(): number
  /** The last valid reading of the source by `judged` or `reading`, without another one: reading it costs 25 ns. */
  recent(): number
  /**
   * Wall time for checking expiry: held at its highest value while the source steps back by at most {@link HOLD_MS}.
   */
  judged(): number
  monotonic(): number
  /** Calls back once, without keeping the process alive. */
  setTimer(callback: () => void, delayMs: number): Timer
  /**
   * Calls back once, and keeps the process alive, because a caller waits. Also set on the machine's clock, because the
   * source's may not advance.
   */
  setPause(callback: () => void, delayMs: number): Timer
  /** Called when the wall clock steps back by more than {@link HOLD_MS} and the earlier time is accepted. */
  onStepBack: () => void
}

/**
 * How far the wall clock may step back before the earlier time is accepted. Within this limit an expired token stays
 * expired. Beyond it, the earlier forward jump was the fault, and holding on to it would reject every token until real
 * time has caught up.
 */
export const HOLD_MS = 3_600_000

/** Between two readings about a minute apart, NTP slews the clock by less than this. */
const DRIFT_MS = 5_000

/** The clock of the machine. */
export const systemClock: Clock = { now: () => Date.now() }

/** Fills in the defaults of a caller's clock. */
export function resolveClock(source: Clock): ResolvedClock {
  let highest = Number.NEGATIVE_INFINITY
  let last = 0
  let previous = Number.NEGATIVE_INFINITY
  let left: LeftTime | undefined
  // `Date.now` is looked up at each call, so fake timers of tests affect this clock.
  const read = source === systemClock ? () => Date.now() : wholeMilliseconds(source)
  const monotonic = steadyMilliseconds(source)
  const hasTimer = readField(source, 'setTimer') !== undefined
  const stepBack = (time: number) => {
    // One long step is a correction. Several short steps of the same total may be undone as well.
    const isOne = previous - time > HOLD_MS
    left = isOne ? undefined : { time: highest, steppedTo: time, steppedAt: monotonic() }
    highest = time
    clock.onStepBack()
  }
  const clock: ResolvedClock = {
    now() {
      const time = read()
      if (time < Number.POSITIVE_INFINITY) return time
      const message = 'clock: now() returned no time (expected Unix milliseconds, as Date.now())'
      throw new WatchwordError('ERR_INVALID_OPTION', message)
    },
    reading() {
      const time = read()
      if (time < Number.POSITIVE_INFINITY) last = time
      return last
    },
    recent: () => last,
    monotonic,
    judged() {
      const time = read()
      if (time === Number.POSITIVE_INFINITY) return time
      last = time
      if (time >= highest) {
        highest = left === undefined ? time : (returned(left, time, monotonic()) ?? time)
      } else if (highest - time > HOLD_MS) stepBack(time)
      previous = time
      return highest
    },
    setTimer: hasTimer
      ? (callback, delayMs) => source.setTimer?.(callback, delayMs) as Timer
      : systemTimer,
    setPause(callback, delayMs) {
      const awaited = setTimeout(callback, delayMs)
      const timer = hasTimer ? source.setTimer?.(callback, delayMs) : undefined
      return {
        cancel() {
          clearTimeout(awaited)
          timer?.cancel()
        },
      }
    },
    onStepBack: () => {},
  }
  return clock
}

/** The machine's clock, resolved, for code outside of an authority. */
export const SYSTEM_CLOCK: ResolvedClock = resolveClock(systemClock)

/** The time before a step back, and the time and moment of that step. */
interface LeftTime {
  readonly time: number
  readonly steppedTo: number
  readonly steppedAt: number
}

/**
 * The time for checking expiry after a forward step has undone a step back at least partly: the time before the step
 * back, so tokens expired then do not become valid again. `undefined` while the clock continues from the step, or is
 * still further back than the hold.
 */
function returned({ time: left, steppedTo, steppedAt }: LeftTime, time: number, steady: number) {
  const leapt = time - steppedTo - (steady - steppedAt) > DRIFT_MS
  return leapt && left - time <= HOLD_MS ? Math.max(left, time) : undefined
}

// Comparisons with a non-number are always false, so such a clock would accept every token. It is treated as the end of
// time, when everything has expired.
function wholeMilliseconds(source: Clock): () => number {
  return () => {
    try {
      const time = Math.floor(source.now())
      return time >= 0 ? time : Number.POSITIVE_INFINITY
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }
}

// A failed monotonic clock proves nothing: comparisons with NaN are false, so no lease holds.
function steadyMilliseconds(source: Clock): () => number {
  if (readField(source, 'monotonic') === undefined) return () => performance.now()
  return () => {
    try {
      return Number(source.monotonic?.())
    } catch {
      return Number.NaN
    }
  }
}

function systemTimer(callback: () => void, delayMs: number): Timer {
  // Fake timers of some test runners return a number, or an object without `unref`.
  const timer: { unref?(): unknown } | number = setTimeout(callback, delayMs)
  if (typeof timer === 'object') timer.unref?.()
  return { cancel: () => clearTimeout(timer as NodeJS.Timeout) }
}
