/**
 * Reports incidents of an adapter to the users of its feed.
 *
 * @module
 */
import type { FeedIncidentKind } from './feed.js'

type Listener = (kind: FeedIncidentKind, count: number) => void

/** The listeners of one feed. */
export class Incidents {
  readonly #listeners = new Set<Listener>()

  /** Adds a listener. Returns a function that removes it. */
  observe(listener: Listener): () => void {
    // Adding the same function twice must add two listeners.
    const own: Listener = (kind, count) => listener(kind, count)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** Calls each listener. */
  tell(kind: FeedIncidentKind, count = 1): void {
    for (const listener of this.#listeners) listener(kind, count)
  }
}
