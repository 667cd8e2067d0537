/**
 * Waiting for an event, with a bound that only a broken feed reaches.
 *
 * @module
 */
import { AssertionError } from 'node:assert'

/** Waits for a promise, and fails with what was waited for when it does not settle. */
export type Soon = <T>(promise: Promise<T>, what: string) => Promise<T>

/** Waits so many milliseconds at the longest. */
export function within(boundMs: number): Soon {
  return async (promise, what) => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const message = `waited ${boundMs} ms in vain for ${what}`
      timer = setTimeout(() => reject(new AssertionError({ message })), boundMs)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Lets the event loop go round once. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
