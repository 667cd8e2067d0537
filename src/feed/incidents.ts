/**
 * Tells those who use a feed what the adapter notices.
 *
 * @module
 */
import type { FeedIncidentKind } from './feed.js'

type Listener = (kind: FeedIncidentKind, count: number) => void

/** The listeners of one feed. */
export class Incidents {
  readonly #listeners = new Set<Listener>()

  /** Adds a listener. Returns what removes it. */
  observe(listener: Listener): () => void {
    // Each call adds one, even of the same function.
    const own: Listener = (kind, count) => listener(kind, count)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** Calls each listener. */
  tell(kind: FeedIncidentKind, count = 1): void {
    for (const listener of this.#listeners) listener(kind, count)
  }
}
