/**
 * The log as one stream: every message is a frame with the head that it made, so the newest frame is the head.
 *
 * A frame is published on condition that the stream's last message is still the one that was looked at. That makes an
 * append or a touch one atomic step, excludes the two from each other, and, since the stream's majority has to agree,
 * proves that what was looked at is the log and not a picture of it.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import {
  type Expectation,
  isConflict,
  isStreamMissing,
  isTooLarge,
  isUnheard,
  type JetStreamClient,
  type JetStreamManager,
  type StoredMessage,
  type StreamInfo,
} from '../../clients/nats/client.js'
import { WatchwordError } from '../../errors.js'
import { type Position, type SealedHead, samePosition } from '../feed.js'
import type { Incidents } from '../incidents.js'
import { type Cut, decodeFrame, encodeFrame, type Frame, type Placed } from './frame.js'
import { Search } from './search.js'
import { type Names, openStreams } from './streams.js'

// Concurrent touches of the head and junk messages force retries; their number is bounded.
const MAX_ATTEMPTS = 32
// A log is set back only when it is mended.
const MAX_CUTS = 16

/** The content of one append or touch. */
export type FrameDraft = Omit<Frame, 'cuts'>

/** The end of the stream, as its leader sees it. */
export interface Tail {
  readonly created: string
  readonly firstSeq: number
  readonly lastSeq: number
  /** How many bytes a message has on average. */
  readonly averageBytes: number
  /** How many events a message has on average, and at least one. */
  readonly averageEvents: number
  /** The newest frame; `undefined` when there is none, so that there is no log. */
  readonly newest: Placed | undefined
  /** The lowest event that is there: what the newest frame says, unless others dropped more. */
  readonly floor: number
}

/** The end of a stream at one moment: if it is unchanged, nothing was added or deleted since. */
interface StreamEnd {
  readonly lastSeq: number
  /** To the nanosecond: a stream that was set back to a copy and has grown again differs in it. */
  readonly lastTime: string
  readonly messages: number
}

/** The first message of a stream. */
interface Front {
  readonly created: string
  readonly seq: number
  readonly first: Frame | undefined
}

/** The last message of this feed: unless another writer published since, it is the end of the stream. */
interface Own {
  readonly tail: Tail
  readonly id: string
}

/** The log of one feed. */
export class Log {
  readonly js: JetStreamClient
  readonly manager: JetStreamManager
  readonly names: Names
  readonly #replicas: number
  #known: (StreamEnd & { readonly newest: Placed | undefined }) | undefined
  #front: Front | undefined
  #own: Own | undefined
  readonly #search: Search

  constructor(
    js: JetStreamClient,
    manager: JetStreamManager,
    names: Names,
    replicas: number,
    incidents: Incidents,
  ) {
    this.js = js
    this.manager = manager
    this.names = names
    this.#search = new Search(js, manager, names, incidents)
    this.#replicas = replicas
  }

  /** Makes the streams that are missing, and looks at those that are there. */
  open(): Promise<void> {
    return openStreams(this.manager, this.names, this.#replicas)
  }

  /**
   * Asks the leader where the stream ends; `undefined` when there is no stream.
   *
   * @param eager - Whether to ask for the last message at the same time, since it is likely to be a new one.
   */
  async tail(signal: AbortSignal, eager = false): Promise<Tail | undefined> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const last = eager ? this.#last() : undefined
      const info = await this.#info()
      if (info === undefined) return undefined
      const newest = info.state.messages === 0 ? undefined : await this.#newest(info, signal, last)
      if (newest === 'changed') continue
      const { bytes, messages, first_seq: firstSeq, last_seq: lastSeq } = info.state
      const averageBytes = messages === 0 ? 0 : bytes / messages
      const floor = newest === undefined ? 1 : await this.#floor(info, newest)
      const events = (newest?.frame.head.seq ?? 0) - floor + 1
      const averageEvents = messages === 0 ? 1 : Math.max(1, events / messages)
      const sizes = { averageBytes, averageEvents }
      return { created: info.created, firstSeq, lastSeq, ...sizes, newest, floor }
    }
    throw busy()
  }

  async #info(): Promise<StreamInfo | undefined> {
    try {
      return await this.manager.streams.info(this.names.log)
    } catch (error) {
      if (isStreamMissing(error)) return undefined
      throw error
    }
  }

  // A missing reply is harmless: the message is then requested by its number.
  #last(): Promise<StoredMessage | null> {
    const { log, logSubject } = this.names
    return this.manager.streams.getMessage(log, { last_by_subj: logSubject }).catch(() => null)
  }

  async #newest(
    info: StreamInfo,
    signal: AbortSignal,
    last: Promise<StoredMessage | null> | undefined,
  ): Promise<Placed | 'changed' | undefined> {
    const mark = markOf(info)
    if (this.#known !== undefined && isSame(this.#known, mark)) return this.#known.newest
    const message = await last
    const frame = message && isMarked(message, mark) ? decodeFrame(message.data) : undefined
    const newest =
      frame === undefined ? await this.#search.run(info, signal) : { at: mark.lastSeq, frame }
    if (newest?.at !== mark.lastSeq) {
      // The last frame is deleted only after another one was published: then this is not the newest.
      const now = await this.#info()
      if (now?.state.last_seq !== mark.lastSeq || now.state.last_ts !== mark.lastTime)
        return 'changed'
    }
    this.#known = { ...mark, newest }
    return newest
  }

  async #floor({ created, state }: StreamInfo, { frame }: Placed): Promise<number> {
    const { head } = frame
    const { first_seq: seq } = state
    if (this.#front?.seq !== seq || this.#front.created !== created) {
      const message = await this.manager.streams.getMessage(this.names.log, { seq })
      const first = message === null ? undefined : decodeFrame(message.data)
      this.#front = { created, seq, first }
    }
    const { first } = this.#front
    if (first?.head.epoch !== head.epoch) return head.floor
    const lowest = first.events[0]?.seq ?? first.head.seq + 1
    return Math.max(head.floor, Math.min(lowest, head.seq + 1))
  }

  /** Deletes the log and the snapshots. */
  async reset(): Promise<void> {
    const { log, logSubject, snapshots, manifests, chunks } = this.names
    this.#own = undefined
    this.#known = undefined
    await this.manager.streams.purge(log, { filter: logSubject })
    for (const filter of [manifests, chunks('*')])
      await this.manager.streams.purge(snapshots, { filter })
  }

  /**
   * Publishes what `make` makes of the end of the stream, unless it makes nothing; tries again when others were first.
   * Returns the end that it was made of, and its own place in the stream, if it was published.
   */
  async publish(
    make: (tail: Tail | undefined) => FrameDraft | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly tail: Tail | undefined; readonly at: number | undefined }> {
    const own = this.#own
    this.#own = undefined
    // Operations that move only the head, such as a trim, change more than their own message.
    const quick = own === undefined ? undefined : make(own.tail)
    if (own !== undefined && quick !== undefined && quick.events.length > 0) {
      const at = await this.#publishAfter(own.tail, quick, own.id)
      if (at !== undefined) return { tail: own.tail, at }
    }
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const tail = await this.tail(signal, true)
      const draft = make(tail)
      if (draft === undefined) return { tail, at: undefined }
      signal.throwIfAborted()
      // The stream was deleted.
      if (tail === undefined) await this.open()
      const at = await this.#publishAfter(tail, draft)
      if (at !== undefined) return { tail, at }
    }
    throw busy()
  }

  async #publishAfter(
    tail: Tail | undefined,
    draft: FrameDraft,
    lastMsgID?: string,
  ): Promise<number | undefined> {
    const frame = { ...draft, cuts: cutsAfter(tail, draft.head) }
    const id = randomUUID()
    const at = await this.#publish(frame, id, {
      streamName: this.names.log,
      lastSequence: tail?.lastSeq ?? 0,
      ...(lastMsgID === undefined ? {} : { lastMsgID }),
    })
    if (at === undefined) return undefined
    this.#retire(tail?.newest)
    if (tail !== undefined && frame.events.length > 0)
      this.#own = { tail: { ...tail, lastSeq: at, newest: { at, frame } }, id }
    return at
  }

  // The id is new for each message, so the server, which drops what it has seen before, never takes one for another. It
  // is there to be named by the next one of this feed: no message of another writer has it, regardless of its number.
  async #publish(frame: Frame, msgID: string, expect: Expectation): Promise<number | undefined> {
    const { logSubject } = this.names
    const bytes = encodeFrame(frame)
    try {
      return (await this.js.publish(logSubject, bytes, { expect, msgID })).seq
    } catch (error) {
      if (isConflict(error) || (expect.lastMsgID !== undefined && isUnheard(error)))
        return undefined
      if (!isTooLarge(error)) throw error
      throw new WatchwordError(
        'ERR_FEED_UNAVAILABLE',
        `append: expected at most the server's max_payload, got ${bytes.length} bytes`,
        { cause: error },
      )
    }
  }

  /** Drops what comes before `seq` in the stream. */
  async dropBefore(seq: number, { firstSeq }: Tail): Promise<void> {
    // A purge up to 1 is one of everything; in an empty stream the first message has the number 0.
    if (seq > Math.max(1, firstSeq)) await this.manager.streams.purge(this.names.log, { seq })
  }

  // A frame without events says nothing once there is a newer one. In the background, since nothing depends on it.
  #retire(superseded: Placed | undefined): void {
    if (superseded === undefined || superseded.frame.events.length > 0) return
    this.manager.streams.deleteMessage(this.names.log, superseded.at, false).catch(() => false)
  }
}

function markOf({ state }: StreamInfo): StreamEnd {
  return { lastSeq: state.last_seq, lastTime: state.last_ts, messages: state.messages }
}

// The two reads are not atomic: the timestamp identifies a message of a stream that was rolled back meanwhile.
function isMarked({ seq, timestamp }: StoredMessage, { lastSeq, lastTime }: StreamEnd): boolean {
  return seq === lastSeq && timestamp === lastTime
}

function isSame(a: StreamEnd, b: StreamEnd): boolean {
  return a.lastSeq === b.lastSeq && a.lastTime === b.lastTime && a.messages === b.messages
}

function busy(): WatchwordError {
  return new WatchwordError('ERR_FEED_UNAVAILABLE', 'others wrote to the stream all the time')
}

function cutsAfter(tail: Tail | undefined, head: SealedHead): readonly Cut[] {
  if (tail?.newest?.frame.head.epoch !== head.epoch) return []
  const { firstSeq, lastSeq, newest } = tail
  const cuts = newest.frame.cuts.filter(({ at }) => at > firstSeq && at <= lastSeq)
  if (head.seq >= newest.frame.head.seq) return cuts
  // Further back covers what went less far.
  const others = cuts.filter(({ seq }) => seq < head.seq)
  return [...others, { at: lastSeq + 1, seq: head.seq }].slice(-MAX_CUTS)
}

/** The head in a tail, as a new buffer. */
export function headOf(tail: Tail | undefined): SealedHead | null {
  const head = tail?.newest?.frame.head
  if (tail === undefined || head === undefined) return null
  return { ...head, floor: tail.floor, link: head.link.slice(), bytes: head.bytes.slice() }
}

/** Whether the log stands exactly there. */
export function standsAt(tail: Tail | undefined, expect: Position | null): boolean {
  return samePosition(tail?.newest?.frame.head ?? null, expect)
}
