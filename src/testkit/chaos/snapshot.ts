/**
 * A snapshot with faults.
 *
 * @module
 */
import type { FeedSnapshot } from '../../feed/feed.js'

type Call = <T>(method: string, run: () => Promise<T>) => Promise<T>

/**
 * Wraps a snapshot: a load may fail before the first chunk and after each chunk, a save before or after it takes
 * effect.
 */
export function chaosSnapshot(snapshot: FeedSnapshot, call: Call): FeedSnapshot {
  return {
    async *load(signal) {
      const chunks = snapshot.load(signal)[Symbol.asyncIterator]()
      try {
        for (;;) {
          const { done, value } = await call('snapshot.load', () => chunks.next())
          if (done === true) return
          yield value
        }
      } finally {
        await chunks.return?.()
      }
    },
    save: (chunks, signal) => call('snapshot.save', () => snapshot.save(chunks, signal)),
  }
}
