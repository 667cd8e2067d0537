/**
 * A feed for the cases: fills in the options of each call and combines common steps.
 *
 * @module
 */
import type {
  Appended,
  CallOptions,
  Position,
  RevocationFeed,
  SealedEvent,
  SealedHead,
} from '../../feed/feed.js'
import { holds, same } from '../store/case.js'
import type { Draft, Fixtures } from './fixtures.js'
import { sameHead } from './same.js'
import type { Soon } from './soon.js'

/** Longer than the core's own deadline: a case must not fail because a machine is slow. */
const DEADLINE_MS = 20_000

/** Options of a call that is never aborted. */
export function callOptions(signal: AbortSignal = new AbortController().signal): CallOptions {
  return { signal, deadlineMs: DEADLINE_MS }
}

/** The result of `read`. */
export interface Page {
  readonly events: readonly SealedEvent[]
  readonly floor: number
}

/** The position before the first event of an epoch. */
export const startOf = ({ epoch }: { readonly epoch: string }) => ({ epoch, seq: 0 })

/** One instance of a feed. */
export interface Log {
  readonly feed: RevocationFeed
  readonly soon: Soon
  head(): Promise<SealedHead | null>
  read(after: { readonly epoch: string; readonly seq: number }, limit?: number): Promise<Page>
  /** Reads everything after a position, page by page; asserts that the pages are consecutive. */
  all(
    after: { readonly epoch: string; readonly seq: number },
    limit?: number,
  ): Promise<SealedEvent[]>
  append(expect: Position | null, draft: Draft): Promise<Appended>
  /** Appends and asserts that it took place. Resolves with the draft's head. */
  grow(expect: Position | null, draft: Draft): Promise<SealedHead>
  touch(expect: Position, next: SealedHead): Promise<boolean>
  trim(upTo: number): Promise<void>
}

/** The feed with the helpers of the cases. */
export function logOf(feed: RevocationFeed, soon: Soon): Log {
  const read = (after: { readonly epoch: string; readonly seq: number }, limit = 1000) =>
    feed.read(after, limit, callOptions())
  const append = (expect: Position | null, { events, next }: Draft) =>
    feed.append(expect, events, next, callOptions())

  return {
    feed,
    soon,
    head: () => feed.head(callOptions()),
    read,
    async all({ epoch, seq }, limit = 500) {
      const found: SealedEvent[] = []
      for (let after = seq; ; ) {
        const { events } = await read({ epoch, seq: after }, limit)
        if (events.length === 0) return found
        holds(events.length <= limit, `a read of ${limit} returned ${events.length} events`)
        for (const event of events) same(event.seq, ++after, 'the seq that follows in a read')
        found.push(...events)
      }
    },
    append,
    async grow(expect, draft) {
      const result = await append(expect, draft)
      const standing = result.ok ? null : result.head
      holds(result.ok, `an append to the current head was refused, with seq ${standing?.seq}`)
      return draft.next
    },
    async touch(expect, next) {
      holds(feed.touch !== undefined, 'the feed has no touch')
      return await feed.touch(expect, next, callOptions())
    },
    async trim(upTo) {
      holds(feed.trim !== undefined, 'the feed has no trim')
      await feed.trim(upTo, callOptions())
    },
  }
}

/** Opens an instance. */
export async function openLog(feed: RevocationFeed, soon: Soon): Promise<Log> {
  await feed.open(callOptions().signal)
  return logOf(feed, soon)
}

/** The lengths of that many small events. */
export const small = (count: number): number[] => Array(count).fill(20)

/** Appends that many small events, ten at a time. Resolves with the head and the events. */
export async function filled(log: Log, make: Fixtures, count: number): Promise<Draft> {
  const events: SealedEvent[] = []
  let head: SealedHead | null = null
  do {
    const draft: Draft = make.draft(head, small(Math.min(10, count - events.length)))
    head = await log.grow(head, draft)
    events.push(...draft.events)
  } while (events.length < count)
  return { events, next: head }
}

/** Asserts that an append was refused and returned this head. */
export function refused(result: Appended, head: SealedHead | null, what: string): void {
  same(result.ok, false, what)
  if (!result.ok) sameHead(result.head, head, `${what}: the returned head`)
}
