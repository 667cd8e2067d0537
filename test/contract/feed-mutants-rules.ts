/**
 * The rules of a correct feed, one by one, for a mutant to break.
 *
 * @module
 */
import {
  type Position,
  type SealedEvent,
  type SealedHead,
  samePosition,
  type WatchHint,
} from '../../src/feed/feed.js'

/** One stored event. */
export interface Row extends SealedEvent {
  readonly epoch: string
}

/** The stored data, which several instances may share. */
export interface Disk {
  head: SealedHead | null
  floor: number
  rows: Row[]
  chunks: readonly Uint8Array[]
  readonly watchers: Set<Watcher>
}

export interface Watcher {
  readonly wake: (hint?: WatchHint) => void
}

/** Where a mutant may lose its atomicity. */
export type Gap = 'check' | 'epoch' | 'event' | 'head' | 'touch' | 'read' | 'trim' | 'chunk'

/** Each is one sentence of the contract, for a mutant to break. */
export interface Rules {
  /** Conversion of bytes on writes and on reads. */
  take(bytes: Uint8Array): Uint8Array
  give(bytes: Uint8Array): Uint8Array
  isHead(head: SealedHead | null, expect: Position | null): boolean
  /** Whether an append creates the log, and whether a row survives that. */
  begins(next: SealedHead, expect: Position | null): boolean
  survives(row: Row): boolean
  /** Whether an append from this seq on removes the row. */
  overwrites(row: Row, first: number): boolean
  floorOfNew(floor: number): number
  /** Which events of an append are written. */
  written(events: readonly SealedEvent[]): readonly SealedEvent[]
  isOf(row: Row, epoch: string, head: SealedHead | null): boolean
  isAfter(seq: number, after: number): boolean
  page(rows: readonly Row[], limit: number): readonly Row[]
  compare(a: Row, b: Row): number
  /** The floor after a trim, and whether a row is removed. */
  floor(floor: number, upTo: number, head: SealedHead | null): number
  goes(row: Row, floor: number, upTo: number): boolean
  /** The floor as it is returned, with a head and with a read. */
  tellsFloor(floor: number, head: SealedHead): number
  readFloor(floor: number, found: readonly Row[]): number
  /** The head after a touch. */
  touched(head: SealedHead, next: SealedHead): SealedHead
  /** Whether a watch that starts wakes at once. */
  isBehind(from: Position, head: SealedHead | null): boolean
  hint(events: readonly SealedEvent[]): WatchHint | undefined
  /** A pause between two steps. A correct feed has none. */
  gap(where: Gap): Promise<void> | undefined
}

export const GOOD: Rules = {
  take: (bytes) => bytes.slice(),
  give: (bytes) => bytes.slice(),
  isHead: samePosition,
  begins: (next, expect) => next.epoch !== expect?.epoch,
  survives: () => false,
  overwrites: ({ seq }, first) => seq >= first,
  floorOfNew: () => 1,
  written: (events) => events,
  isOf: (row, epoch, head) => row.epoch === epoch && head?.epoch === epoch,
  isAfter: (seq, after) => seq > after,
  page: (rows, limit) => rows.slice(0, limit),
  compare: (a, b) => a.seq - b.seq,
  floor: (floor, upTo, head) => Math.max(floor, Math.min(upTo, head?.seq ?? 0) + 1),
  goes: ({ seq }, floor) => seq < floor,
  tellsFloor: (floor) => floor,
  readFloor: (floor) => floor,
  touched: (_, next) => next,
  isBehind: (from, head) => head !== null && !samePosition(from, head),
  hint: (events) => ({ events }),
  gap: () => undefined,
}

export function emptyDisk(): Disk {
  return { head: null, floor: 1, rows: [], chunks: [], watchers: new Set() }
}
