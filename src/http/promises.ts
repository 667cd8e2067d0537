/**
 * Promises from applications: recognized by type, and awaited with a timeout.
 *
 * @module
 */
import { types } from 'node:util'
import type { ResolvedClock } from '../lib/clock.js'

/**
 * Whether the value is a native promise, from any realm. An object with a `then` does not count: its `then` may throw,
 * may never call back, or may come from a polluted `Object.prototype`.
 */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return types.isPromise(value)
}

/** Resolves like the promise; rejects with the error from `late` after `ms`. */
export function inTime<T>(
  clock: ResolvedClock,
  ms: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => reject(late()), ms)
    // `Promise.resolve` prevents a subclass from running its own `then` on this stack.
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

/** Ignores errors: a hook that only observes must not end the process. */
export function ignoreRejection(value: unknown): void {
  if (isPromise(value)) Promise.resolve(value).catch(() => undefined)
}
