/**
 * The end of the log's stream as a value, and the values derived from it: the head, and the cuts of the next frame.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { type Position, type SealedHead, samePosition } from '../feed.js'
import type { Cut, Placed } from './frame.js'

/** Concurrent touches of the head and junk messages force retries; their number is bounded. */
export const MAX_ATTEMPTS = 32
// The head is moved back only for repair.
const MAX_CUTS = 16

/** The end of the stream, as its leader sees it. */
export interface Tail {
  readonly created: string
  readonly firstSeq: number
  readonly lastSeq: number
  /** The average size of a message in bytes. */
  readonly averageBytes: number
  /** The average number of events per message, at least one. */
  readonly averageEvents: number
  /** The newest frame; `undefined` if there is no log. */
  readonly newest: Placed | undefined
  /** The lowest remaining event: the floor of the newest frame, unless other clients dropped more. */
  readonly floor: number
}

/** The head in a tail, as a new buffer. */
export function headOf(tail: Tail | undefined): SealedHead | null {
  const head = tail?.newest?.frame.head
  if (tail === undefined || head === undefined) return null
  return { ...head, floor: tail.floor, link: head.link.slice(), bytes: head.bytes.slice() }
}

/** Whether this is exactly the position of the log. */
export function standsAt(tail: Tail | undefined, expect: Position | null): boolean {
  return samePosition(tail?.newest?.frame.head ?? null, expect)
}

/** The cuts of the next frame, which has this head. */
export function cutsAfter(tail: Tail | undefined, head: SealedHead): readonly Cut[] {
  if (tail?.newest?.frame.head.epoch !== head.epoch) return []
  const { firstSeq, lastSeq, newest } = tail
  const cuts = newest.frame.cuts.filter(({ at }) => at > firstSeq && at <= lastSeq)
  if (head.seq >= newest.frame.head.seq) return cuts
  // A cut further back covers those that went back less far.
  const others = cuts.filter(({ seq }) => seq < head.seq)
  return [...others, { at: lastSeq + 1, seq: head.seq }].slice(-MAX_CUTS)
}

/** The error after too many attempts. */
export function busy(): WatchwordError {
  return new WatchwordError('ERR_FEED_UNAVAILABLE', 'others wrote to the stream all the time')
}
