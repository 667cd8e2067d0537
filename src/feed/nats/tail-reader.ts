/**
 * Reads the end of the log's stream: its newest frame and the lowest remaining event.
 *
 * @module
 */
import {
  isStreamMissing,
  type JetStreamClient,
  type JetStreamManager,
  type StoredMessage,
  type StreamInfo,
} from '../../clients/nats/client.js'
import type { Incidents } from '../incidents.js'
import { decodeFrame, type Frame, type Placed } from './frame.js'
import { Search } from './search.js'
import type { Names } from './streams.js'
import { busy, MAX_ATTEMPTS, type Tail } from './tail.js'

/** The end of a stream at one moment. If it is unchanged, no message was added or deleted since. */
interface StreamEnd {
  readonly lastSeq: number
  /** To the nanosecond, to detect a stream that was restored from a backup and has grown again. */
  readonly lastTime: string
  readonly messages: number
}

/** The first message of a stream. */
interface Front {
  readonly created: string
  readonly seq: number
  readonly first: Frame | undefined
}

/** The reader of one feed. It caches the newest frame until the stream changes. */
export class TailReader {
  readonly #manager: JetStreamManager
  readonly #names: Names
  readonly #search: Search
  #known: (StreamEnd & { readonly newest: Placed | undefined }) | undefined
  #front: Front | undefined

  constructor(js: JetStreamClient, manager: JetStreamManager, names: Names, incidents: Incidents) {
    this.#manager = manager
    this.#names = names
    this.#search = new Search(js, manager, names, incidents)
  }

  /**
   * Reads the end of the stream from the leader; `undefined` if there is no stream.
   *
   * @param eager - Whether to request the last message at the same time, because it is probably new.
   */
  async read(signal: AbortSignal, eager = false): Promise<Tail | undefined> {
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
      return await this.#manager.streams.info(this.#names.log)
    } catch (error) {
      if (isStreamMissing(error)) return undefined
      throw error
    }
  }

  // A missing reply is harmless: the message is then requested by its number.
  #last(): Promise<StoredMessage | null> {
    const { log, logSubject } = this.#names
    return this.#manager.streams.getMessage(log, { last_by_subj: logSubject }).catch(() => null)
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
      // The last frame is deleted only after another one was published, so this is not the newest.
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
      const message = await this.#manager.streams.getMessage(this.#names.log, { seq })
      const first = message === null ? undefined : decodeFrame(message.data)
      this.#front = { created, seq, first }
    }
    const { first } = this.#front
    if (first?.head.epoch !== head.epoch) return head.floor
    const lowest = first.events[0]?.seq ?? first.head.seq + 1
    return Math.max(head.floor, Math.min(lowest, head.seq + 1))
  }

  /** Clears the cache, because the log is deleted. */
  forget(): void {
    this.#known = undefined
  }
}

function markOf({ state }: StreamInfo): StreamEnd {
  return { lastSeq: state.last_seq, lastTime: state.last_ts, messages: state.messages }
}

// The two reads are not atomic: the timestamp detects a stream that was rolled back in between.
function isMarked({ seq, timestamp }: StoredMessage, { lastSeq, lastTime }: StreamEnd): boolean {
  return seq === lastSeq && timestamp === lastTime
}

function isSame(a: StreamEnd, b: StreamEnd): boolean {
  return a.lastSeq === b.lastSeq && a.lastTime === b.lastTime && a.messages === b.messages
}
