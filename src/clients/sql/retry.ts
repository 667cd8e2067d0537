/**
 * Again, when the database gave a transaction up in favour of another.
 *
 * @module
 */

const ATTEMPTS = 5

/**
 * Runs the work, which gets the number of the attempt from 1 on, and again for as long as it fails in a way that says that nothing of it was written, a few times at
 * most. No pause: the transaction that won has the locks already.
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
