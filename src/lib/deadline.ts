/**
 * Deadlines for calls to adapters, which cannot be trusted to time out.
 *
 * @module
 */

import { WatchwordError, type WatchwordErrorCode } from '../errors.js'
import type { ResolvedClock } from './clock.js'
import { withReason } from './failure-reason.js'
import { failure } from './failure-text.js'

type OutageCode = Extract<
  WatchwordErrorCode,
  'ERR_STORE_UNAVAILABLE' | 'ERR_FEED_UNAVAILABLE' | 'ERR_ROOT_KEY'
>

/** Options of a deadline. */
export interface Deadline {
  readonly clock: ResolvedClock
  readonly deadlineMs: number
  /** The error code of the outage. */
  readonly code: OutageCode
  /** The name of the adapter in messages. */
  readonly name: string
  /** Called when the deadline has passed, to abort the adapter's call. */
  readonly onTimeout?: () => void
}

/**
 * Runs one call to an adapter. Rejects with the outage's code if the adapter fails or does not respond in time. A late
 * response is dropped and a late failure ignored.
 */
export function withDeadline<T>(deadline: Deadline, call: () => Promise<T>): Promise<T> {
  const { clock, deadlineMs, code, name, onTimeout } = deadline
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => {
      onTimeout?.()
      const error = new WatchwordError(code, `${name} did not respond within ${deadlineMs} ms`)
      reject(withReason(error, 'timeout'))
    }, deadlineMs)
    startCall(call).then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (cause: unknown) => {
        timer.cancel()
        reject(outage(deadline, cause))
      },
    )
  })
}

function startCall<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call()
  } catch (error) {
    // Adapters should reject instead of throwing, but may throw.
    return Promise.reject(error)
  }
}

function outage({ code, name }: Deadline, cause: unknown): WatchwordError {
  try {
    return cause instanceof WatchwordError ? cause : failure(code, name, cause)
  } catch {
    // Inspecting a foreign value may throw, such as a proxy. The call must settle regardless.
    return new WatchwordError(code, `${name} failed`, { cause })
  }
}
