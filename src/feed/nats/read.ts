/**
 * Reads events and drops old ones.
 *
 * @module
 */
import type { CallOptions, SealedEvent } from '../feed.js'
import { readEphemerally } from './ephemeral-consumer.js'
import { decodeFrame, type Frame, type Placed } from './frame.js'
import type { Log } from './log.js'
import { OffsetIndex } from './offset-index.js'
import type { Tail } from './tail.js'

// Other clients may publish forged events beside the true one. The newest of one `seq` are kept, up to this number.
const MAX_CANDIDATES = 16

interface Place {
  readonly epoch: string
  readonly seq: number
}

interface Page {
  readonly events: readonly SealedEvent[]
  readonly floor: number
}

interface Range {
  readonly tail: Tail
  readonly end: Placed
  /** The first event to read. */
  readonly first: number
  readonly limit: number
  /** Whether to return every candidate, or only those that the log itself confirms. */
  readonly thorough: boolean
  readonly signal: AbortSignal
}

/** The candidates found for one `seq`, newest first. */
interface Found {
  readonly live: SealedEvent[]
  /** Candidates that a later frame claims to have overwritten. */
  readonly stale: SealedEvent[]
}

/** Reads the log for one node. */
export class Reader {
  readonly #log: Log
  #offsets = new OffsetIndex('', '')
  #asked: Place = { epoch: '', seq: 0 }

  constructor(log: Log) {
    this.#log = log
  }

  /** As {@link RevocationFeed.read}. */
  async read(after: Place, limit: number, { signal }: CallOptions): Promise<Page> {
    const tail = await this.#log.tail(signal)
    const end = tail?.newest
    if (tail === undefined || end === undefined) return { events: [], floor: 1 }
    const { head } = end.frame
    if (head.epoch !== after.epoch) return { events: [], floor: tail.floor }
    // A repeated request means that the response did not help: then all candidates are searched.
    const thorough = this.#asked.epoch === after.epoch && this.#asked.seq === after.seq
    const first = Math.max(after.seq + 1, tail.floor)
    const events = await this.#find({ tail, end, first, limit, thorough, signal })
    if (events.length > 0) this.#asked = { epoch: after.epoch, seq: after.seq }
    return { events, floor: tail.floor }
  }

  async #find(range: Range): Promise<readonly SealedEvent[]> {
    const { first, end, tail, thorough } = range
    const offsets = this.#follow(tail)
    const { events } = thorough ? { events: [] } : await this.#collect(range, offsets)
    if (!thorough && (events[0]?.seq === first || first > end.frame.head.seq)) return events
    // The offset index does not lead there: the stream was recreated since the index was built.
    this.#offsets = new OffsetIndex(offsets.created, offsets.epoch)
    const found = await this.#collect(range, this.#offsets)
    if (found.events.length > 0 || found.beyond === Number.POSITIVE_INFINITY) return found.events
    return (await this.#collect({ ...range, first: found.beyond }, this.#offsets)).events
  }

  /** Drops everything before the first event above `upTo`, as far as it gets before the signal aborts. */
  async drop(tail: Tail, upTo: number, signal: AbortSignal): Promise<void> {
    const offsets = this.#follow(tail)
    const newest = tail.newest?.at ?? 0
    if (offsets.highest <= upTo && offsets.passedTo < newest)
      await this.#walk(
        { tail, signal },
        offsets,
        offsets.passedTo + 1,
        () => offsets.highest > upTo,
      )
    await this.#log.dropBefore(Math.min(offsets.startFor(upTo), newest), tail)
  }

  /** Records a message delivered by a consumer that has delivered every message since `previous`. */
  saw(previous: number, at: number, frame: Frame): void {
    const { epoch, seq } = frame.head
    const offsets = this.#offsets
    if (offsets.epoch === epoch && offsets.passedTo >= previous) offsets.pass(at, frame, seq)
  }

  #follow({ created, newest, lastSeq }: Tail): OffsetIndex {
    const { epoch = '', seq = 0 } = newest?.frame.head ?? {}
    const { passedTo, highest } = this.#offsets
    const isSame = this.#offsets.created === created && this.#offsets.epoch === epoch
    // A stream that ends earlier than before, or a head that went back, was restored from a backup.
    if (!isSame || lastSeq < passedTo || seq < highest)
      this.#offsets = new OffsetIndex(created, epoch)
    return this.#offsets
  }

  /** Returns the events from `first` on, and the lowest `seq` that is too far away to be included. */
  async #collect(range: Range, offsets: OffsetIndex) {
    const { end, first, limit, thorough } = range
    const { head, cuts } = end.frame
    const found = new Map<number, Found>()
    let live = 0
    let beyond = Number.POSITIVE_INFINITY
    await this.#walk(range, offsets, offsets.startFor(first - 1), (frame, at) => {
      for (const event of frame.head.epoch === head.epoch ? frame.events : []) {
        if (event.seq >= first + limit) beyond = Math.min(beyond, event.seq)
        else if (event.seq >= first) {
          const isStale = cuts.some((cut) => at < cut.at && event.seq > cut.seq)
          live += note(found, event, isStale)
        }
      }
      return !thorough && live === limit
    })
    const seqs = [...found.keys()].sort((a, b) => a - b)
    const events = seqs.flatMap((seq) => candidates(found.get(seq), thorough)).slice(0, limit)
    return { events, beyond }
  }

  async #walk(
    { tail, limit, signal }: Pick<Range, 'tail' | 'signal'> & Partial<Range>,
    offsets: OffsetIndex,
    from: number,
    isEnough: (frame: Frame, at: number) => boolean,
  ): Promise<void> {
    const end = tail.newest
    if (end === undefined) return
    const start = Math.max(from, tail.firstSeq)
    if (start > end.at) return
    const visit = (at: number, frame: Frame | undefined): boolean => {
      const own = frame?.head.epoch === end.frame.head.epoch ? frame : undefined
      offsets.pass(at, own, end.frame.head.seq)
      return (frame !== undefined && isEnough(frame, at)) || at >= end.at
    }
    // Usually only the newest frame is new.
    if (start === end.at) return void visit(end.at, end.frame)
    const { js, manager, names } = this.#log
    const { averageBytes, averageEvents } = tail
    const enough = limit === undefined ? {} : { enough: limit / averageEvents }
    const where = { stream: names.log, subject: names.logSubject, start }
    const options = { ...where, averageBytes, ...enough, signal }
    for await (const { seq, data } of readEphemerally(js, manager, options))
      if (visit(seq, decodeFrame(data))) return
  }
}

// Adds a candidate, newest first: the latest append at a `seq` is the true one. Returns how many `seq` have gained
// their first valid candidate.
function note(found: Map<number, Found>, event: SealedEvent, isStale: boolean): number {
  const { live, stale } = found.get(event.seq) ?? { live: [], stale: [] }
  const list = isStale ? stale : live
  list.unshift(event)
  if (list.length > MAX_CANDIDATES) list.pop()
  found.set(event.seq, { live, stale })
  return !isStale && live.length === 1 ? 1 : 0
}

// Other clients may falsely mark the true event as overwritten, so an overwritten candidate is better than none.
function candidates(found: Found | undefined, thorough: boolean): readonly SealedEvent[] {
  const { live = [], stale = [] } = found ?? {}
  if (thorough) return [...live, ...stale]
  return live.length > 0 ? live : stale
}
