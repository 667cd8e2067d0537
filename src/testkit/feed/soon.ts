/**
 * Waits for an event, with a timeout that only a broken feed reaches.
 *
 * @module
 */
import { AssertionError } from 'node:assert'

/** Waits for a promise. Fails with the description if it does not settle in time. */
export type Soon = <T>(promise: Promise<T>, what: string) => Promise<T>

/** Waits at most that many milliseconds. */
export function within(boundMs: number): Soon {
  return async (promise, what) => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const message = `waited in vain for ${boundMs} ms: ${what}`
      timer = setTimeout(() => reject(new AssertionError({ message })), boundMs)
    })
    try {
      return await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Waits for one turn of the event loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
