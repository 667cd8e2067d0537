/**
 * Compares heads and events by content.
 *
 * @module
 */
import type { SealedEvent, SealedHead } from '../../feed/feed.js'
import { holds, same } from '../store/case.js'

/** Bytes as text for comparing and printing. A Buffer is accepted as well as a plain array. */
export function hex(bytes: unknown, what: string): string {
  holds(bytes instanceof Uint8Array, `${what}: expected a Uint8Array`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

function plainHead(head: SealedHead | null, what: string): unknown {
  // Only null means that there is no log; any other value is printed as it is.
  if (!head) return head
  const { epoch, seq, link, floor, beaconAt, bytes } = head
  return { epoch, seq, link: hex(link, what), floor, beaconAt, bytes: hex(bytes, what) }
}

function plainEvents(events: readonly SealedEvent[], what: string): unknown {
  return events.map(({ seq, bytes }) => ({ seq, bytes: hex(bytes, what) }))
}

/** Asserts that two heads are equal, including the seals. */
export function sameHead(
  actual: SealedHead | null,
  expected: SealedHead | null,
  what: string,
): void {
  same(plainHead(actual, what), plainHead(expected, what), what)
}

/** Asserts that the events are equal and in the same order. */
export function sameEvents(
  actual: readonly SealedEvent[],
  expected: readonly SealedEvent[],
  what: string,
): void {
  same(plainEvents(actual, what), plainEvents(expected, what), what)
}
