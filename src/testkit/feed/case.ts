/**
 * What a case of the feed contract is made of.
 *
 * @module
 */
import type { SealedEvent, SealedHead } from '../../feed/feed.js'
import { holds, same } from '../store/case.js'
import type { Fixtures } from './fixtures.js'
import type { Log } from './log.js'

/** What a feed may lack. */
export type Optional = 'touch' | 'watch' | 'snapshot' | 'trim' | 'peek'

/** What a case is given. */
export interface CaseContext {
  /** Fresh, without a log, and open. */
  readonly log: Log
  /** A second instance over the same log, open; in a case that does without, the first itself. */
  readonly other: Log
  /** Opens one more instance over the same log; in a case that does without, answers the first itself. */
  readonly reopen: () => Promise<Log>
  /** The case's own epochs and events, the same in every run. */
  readonly make: Fixtures
  /** Writes an event as a stranger would, where the options of the kit can. */
  readonly plant?: (event: SealedEvent) => Promise<void>
}

/** One case: it breaks when the rule does. */
export interface FeedCase {
  /** The rule's stable name, the first word of the case's title. */
  readonly rule: string
  readonly title: string
  /** `also`: once on one instance and once across two. `only`: needs two. Default: one instance. */
  readonly across?: 'also' | 'only'
  /** What a feed without it need not answer for. */
  readonly needs?: readonly Optional[]
  run(context: CaseContext): Promise<void>
}

/** Bytes as text that can be compared and printed; a Buffer is as good as a plain array. */
export function hex(bytes: unknown, what: string): string {
  holds(bytes instanceof Uint8Array, `${what}: expected a Uint8Array`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

function plainHead(head: SealedHead | null, what: string): unknown {
  // Only null stands for no log, but what stands in its place is to be printed.
  if (!head) return head
  const { epoch, seq, link, floor, beaconAt, bytes } = head
  return { epoch, seq, link: hex(link, what), floor, beaconAt, bytes: hex(bytes, what) }
}

function plainEvents(events: readonly SealedEvent[], what: string): unknown {
  return events.map(({ seq, bytes }) => ({ seq, bytes: hex(bytes, what) }))
}

/** Asserts that two heads are equal, seal and all. */
export function sameHead(
  actual: SealedHead | null,
  expected: SealedHead | null,
  what: string,
): void {
  same(plainHead(actual, what), plainHead(expected, what), what)
}

/** Asserts that the events are these, in this order. */
export function sameEvents(
  actual: readonly SealedEvent[],
  expected: readonly SealedEvent[],
  what: string,
): void {
  same(plainEvents(actual, what), plainEvents(expected, what), what)
}
