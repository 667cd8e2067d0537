/**
 * A connection out of the caller's pool, for one piece of work, whatever becomes of it.
 *
 * @module
 */

/** How connections are taken from a pool and handed back. */
export interface Lender<C> {
  take(): Promise<C>
  release(connection: C): void
  /** Ends the connection itself: its place in the pool is free at once, even if the server no longer answers. */
  destroy(connection: C, error: Error): void
}

// A server that is merely slow answers in that time, and keeps its connection: making new ones would slow it down more.
const LATE_MS = 1000

/**
 * Lends a connection. One on which something failed is destroyed: nobody else gets what is left of it. So is one that
 * does not answer soon after the signal has aborted, or else a few calls that hang would keep a whole pool from those
 * after them.
 */
export async function lend<C, T>(
  lender: Lender<C>,
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
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
