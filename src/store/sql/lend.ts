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

/**
 * Lends a connection. One on which something failed is destroyed: nobody else gets what is left of it. So is one whose
 * work nobody waits for any more, or else a few calls that hang would keep a whole pool from the calls after them.
 */
export async function lend<C, T>(
  lender: Lender<C>,
  work: (connection: C) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const connection = await lender.take()
  if (signal?.aborted) {
    lender.release(connection)
    throw signal.reason
  }
  let isHeld = true
  const destroy = (reason: unknown): void => {
    if (!isHeld) return
    isHeld = false
    lender.destroy(connection, reason instanceof Error ? reason : new Error(String(reason)))
  }
  let giveUp = (): void => {}
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = () => {
      destroy(signal?.reason)
      reject(signal?.reason)
    }
  })
  signal?.addEventListener('abort', giveUp)
  try {
    const result = await Promise.race([work(connection), givenUp])
    if (isHeld) lender.release(connection)
    return result
  } catch (error) {
    destroy(error)
    throw error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}
