/**
 * Waiting for an event, with a bound that only a broken feed reaches.
 *
 * @module
 */
import { AssertionError } from 'node:assert'

const BOUND_MS = 20_000

/** What the promise answers, or a failure that says what did not come. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `waited ${BOUND_MS / 1000} s for ${what}`
    timer = setTimeout(() => reject(new AssertionError({ message })), BOUND_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Lets the event loop go round once. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
