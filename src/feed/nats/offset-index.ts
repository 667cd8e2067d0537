/**
 * Maps events to message numbers, so reading can begin just before the requested event.
 *
 * The stream numbers messages and the log numbers events, independently: a message holds several events or none, and
 * foreign messages count too. The index records what this node has passed while reading from the beginning.
 *
 * @module
 */
import type { Frame } from './frame.js'

// At most this many events are skipped to reach a requested one.
const SPACING = 64

/** Records that no event above `seq` is at or before `at` in the stream. */
interface Offset {
  readonly seq: number
  readonly at: number
}

/** The offset index of one node for one epoch. */
export class OffsetIndex {
  /** When the stream was created. */
  readonly created: string
  readonly epoch: string
  readonly #marks: Offset[] = []
  #reached: Offset = { seq: 0, at: 0 }

  constructor(created: string, epoch: string) {
    this.created = created
    this.epoch = epoch
  }

  /** The sequence number up to which the stream was read without a gap. */
  get passedTo(): number {
    return this.#reached.at
  }

  /** The highest event that was passed. */
  get highest(): number {
    return this.#reached.seq
  }

  /** The sequence number at which to start reading to find every event above `seq`. */
  startFor(seq: number): number {
    if (this.#reached.seq <= seq) return this.#reached.at + 1
    let low = 0
    let high = this.#marks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#marks[middle] as Offset).seq <= seq) low = middle + 1
      else high = middle
    }
    return (this.#marks[low - 1]?.at ?? 0) + 1
  }

  /**
   * Records that everything up to `at` was passed, with this frame if it belongs to this log. A frame above the head is
   * not part of the log: it must not make later events look old.
   */
  pass(at: number, frame: Frame | undefined, head: number): void {
    if (at <= this.#reached.at) return
    const last = frame?.events.at(-1)?.seq ?? 0
    const seq = last <= head ? Math.max(last, this.#reached.seq) : this.#reached.seq
    const before = this.#marks.at(-1)?.seq ?? 0
    if (seq > this.#reached.seq && this.#reached.seq - before >= SPACING)
      this.#marks.push(this.#reached)
    this.#reached = { seq, at }
  }
}
