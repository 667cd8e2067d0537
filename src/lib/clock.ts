/**
 * Time: the one place that reads the system's clocks and sets timers.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { readField } from './fields.js'

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
  /** Wall time in Unix milliseconds, as reported by the source: for timestamps. */
  now(): number
  /** Like `now`, for messages: the last good reading while the source returns no time. Never throws. */
  reading(): number
  /** Wall time for judging expiry: held at its highest value when the source steps back by at most {@link HOLD_MS}. */
  judged(): number
  monotonic(): number
  /** Calls back once, without keeping the process alive. */
  setTimer(callback: () => void, delayMs: number): Timer
  /** Calls back once, for a caller who waits: the process stays alive, and a clock that stands still holds up nothing. */
  setPause(callback: () => void, delayMs: number): Timer
  /** Called when the wall clock was stepped back by more than {@link HOLD_MS}, and is believed. */
  onStepBack: () => void
}

/**
 * How far the wall clock may step back before the earlier time is accepted. Within it, an expired token stays expired;
 * beyond it, the earlier jump forward was the fault, and holding on to it would reject every token until the real time
 * has caught up.
 */
export const HOLD_MS = 3_600_000

/** Between two looks a minute or so apart, a time server slews the clock by less than this. */
const DRIFT_MS = 5_000

/** The clock of the machine. */
export const systemClock: Clock = { now: () => Date.now() }

/** Fills in what a caller's clock leaves out. */
export function resolveClock(source: Clock): ResolvedClock {
  let highest = Number.NEGATIVE_INFINITY
  let last = 0
  let previous = Number.NEGATIVE_INFINITY
  let left: LeftTime | undefined
  // `Date.now` is looked up at each call, so that the fake timers of a test move this clock.
  const read = source === systemClock ? () => Date.now() : wholeMilliseconds(source)
  const monotonic = steadyMilliseconds(source)
  const hasTimer = readField(source, 'setTimer') !== undefined
  const stepBack = (time: number) => {
    // One long step is a correction. Several short ones that add up to it may be taken back as well.
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
    monotonic,
    judged() {
      const time = read()
      if (time >= highest) {
        if (time === Number.POSITIVE_INFINITY) return time
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

/** The clock of the machine, resolved: for code that has no authority to ask. */
export const SYSTEM_CLOCK: ResolvedClock = resolveClock(systemClock)

/** The time that a step back left, and where and when that step led. */
interface LeftTime {
  readonly time: number
  readonly steppedTo: number
  readonly steppedAt: number
}

/**
 * The time to judge by after a step forward has undone a step back, at least in part: the time that the step back left,
 * so that what had expired then does not become valid again. `undefined` while the clock only goes on from where it
 * was stepped to, or is still further back than the hold.
 */
function returned({ time: left, steppedTo, steppedAt }: LeftTime, time: number, steady: number) {
  const leapt = time - steppedTo - (steady - steppedAt) > DRIFT_MS
  return leapt && left - time <= HOLD_MS ? Math.max(left, time) : undefined
}

// A clock that does not return a number would compare as neither before nor after anything and accept every token. It
// counts as the end of time, when everything has expired.
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

// A steady clock that fails proves nothing: compared with anything, NaN is not within any lease.
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
  // A number, or an object without `unref`, under the fake timers of some test runners.
  const timer: { unref?(): unknown } | number = setTimeout(callback, delayMs)
  if (typeof timer === 'object') timer.unref?.()
  return { cancel: () => clearTimeout(timer as NodeJS.Timeout) }
}
