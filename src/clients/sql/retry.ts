/**
 * Retries transactions that the database aborted in favour of another one.
 *
 * @module
 */

const ATTEMPTS = 5

/**
 * Runs the work with the number of the attempt, starting at 1. Retries a few times while it fails with an error that
 * proves that nothing was written. There is no pause, because the other transaction already has the locks.
 */
export async function withRetries<T>(
  work: (attempt: number) => Promise<T>,
  isUndone: (error: unknown) => boolean,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt === ATTEMPTS || !isUndone(error)) throw error
    }
  }
}
