/**
 * Promises that come from applications: recognised by what they are, and awaited within a bound.
 *
 * @module
 */
import { types } from 'node:util'
import type { ResolvedClock } from '../lib/clock.js'

/**
 * Whether the value is a promise of the language, from any realm. An object that merely has a `then` is not: its `then`
 * may throw, may never call back, or may come from a polluted `Object.prototype`.
 */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return types.isPromise(value)
}

/** Resolves as the promise does; rejects with what `late` makes when that takes longer than `ms`. */
export function inTime<T>(
  clock: ResolvedClock,
  ms: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => reject(late()), ms)
    // `Promise.resolve` keeps a subclass from running a `then` of its own on this stack.
    Promise.resolve(promise).then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}

/** Takes note of nothing: an error of a hook that only observes must not end the process. */
export function ignoreRejection(value: unknown): void {
  if (isPromise(value)) Promise.resolve(value).catch(() => undefined)
}
