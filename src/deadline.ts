/**
 * Deadlines for calls to adapters, which are never trusted to time out by themselves.
 *
 * @module
 */
import type { ResolvedClock } from './clock.js'
import { WatchwordError, type WatchwordErrorCode } from './errors.js'

/**
 * Runs one call to an adapter. Rejects with `code` when the adapter fails, or has not answered after `deadlineMs`; a
 * late answer is dropped and a late failure swallowed.
 */
export async function withDeadline<T>(
  clock: ResolvedClock,
  deadlineMs: number,
  code: Extract<WatchwordErrorCode, 'ERR_STORE_UNAVAILABLE' | 'ERR_FEED_UNAVAILABLE'>,
  name: string,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  let timer: { cancel(): void } | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = clock.setTimer(() => {
      controller.abort()
      reject(new WatchwordError(code, `${name} did not answer within ${deadlineMs} ms`))
    }, deadlineMs)
  })
  try {
    return await Promise.race([call(controller.signal), timeout])
  } catch (cause) {
    if (cause instanceof WatchwordError) throw cause
    throw new WatchwordError(code, `${name} failed`, { cause })
  } finally {
    timer?.cancel()
  }
}
