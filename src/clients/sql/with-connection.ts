/**
 * Runs one piece of work on a connection from the caller's pool, and always returns or destroys the connection.
 *
 * @module
 */

import { withReason } from '../../lib/failure-reason.js'

/** How connections are taken from a pool and returned. */
export interface PoolAdapter<C> {
  take(): Promise<C>
  release(connection: C): void
  /** Closes the connection immediately, which frees its slot in the pool even if the server does not respond. */
  destroy(connection: C, error: Error): void
  /** The caller's pool. */
  readonly pool: object
  /** The number of idle connections of the pool, if known. */
  idle(): number
  /** Sends a query whose result does not matter. */
  check(connection: C): Promise<unknown>
}

// A server that is merely slow responds in this time and keeps its connection: new connections would slow it down more.
const LATE_MS = 1000
const CHECK_MS = 1000

/** The deadline of a store's statement or transaction: much longer than the core waits for either. */
export const STATEMENT_MS = 5000
export const TRANSACTION_MS = 30_000

/**
 * Runs work on a pooled connection. Destroys a connection that failed, and one that does not respond soon after the
 * signal has aborted. Otherwise a few hanging calls would block the whole pool.
 */
export async function withPooledConnection<C, T>(
  lender: PoolAdapter<C>,
  work: (connection: C) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const late = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let held: C | undefined
  const giveUp = (): void => {
    const end = (): void => late.abort(signal?.reason)
    if (held === undefined) end()
    else timer = setTimeout(end, LATE_MS)
  }
  const givenUp = new Promise<never>((_, reject) => {
    late.signal.addEventListener('abort', () => reject(late.signal.reason))
  })
  signal?.addEventListener('abort', giveUp)
  try {
    const working = lender.take().then((connection) => {
      if (late.signal.aborted) {
        lender.release(connection)
        throw late.signal.reason
      }
      held = connection
      return work(connection)
    })
    const result = await Promise.race([working, givenUp])
    if (held !== undefined) lender.release(held)
    return result
  } catch (error) {
    if (held !== undefined) lender.destroy(held, asError(error))
    if (held !== undefined && late.signal.aborted) checkIdle(lender)
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  }
}

/** Runs work with a deadline, without which a call to a lost server never ends. */
export async function limited<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const late = () =>
    withReason(new Error(`the database did not respond within ${ms} ms`), 'timeout')
  const end = (): void => stop.abort(late())
  const timer = setTimeout(end, ms)
  try {
    return await work(stop.signal)
  } finally {
    clearTimeout(timer)
  }
}

const checking = new WeakSet<object>()

// A NAT gateway that dropped one connection has probably dropped the idle ones too, and each would cost a failed call.
function checkIdle<C>(lender: PoolAdapter<C>): void {
  const { pool } = lender
  if (checking.has(pool)) return
  checking.add(pool)
  const check = () =>
    limited(CHECK_MS, (signal) => withPooledConnection(lender, lender.check, signal))
  const checks = Array.from({ length: lender.idle() }, check)
  void Promise.allSettled(checks).then(() => checking.delete(pool))
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
