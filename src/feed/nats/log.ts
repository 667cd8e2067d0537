/**
 * The log as one stream: every message is a frame with the head that it made, so the newest frame is the head.
 *
 * A frame is published on condition that the stream's last message is still the one that was read. An append or a touch
 * is therefore one atomic step, and the two exclude each other. Because the stream's majority must agree, it also
 * proves that the read was not from an outdated copy.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import {
  type Expectation,
  isConflict,
  isTooLarge,
  isUnheard,
  type JetStreamClient,
  type JetStreamManager,
} from '../../clients/nats/client.js'
import { WatchwordError } from '../../errors.js'
import type { Incidents } from '../incidents.js'
import { encodeFrame, type Frame, type Placed } from './frame.js'
import { type Names, openStreams } from './streams.js'
import { busy, cutsAfter, MAX_ATTEMPTS, type Tail } from './tail.js'
import { TailReader } from './tail-reader.js'

/** The content of one append or touch. */
export type FrameDraft = Omit<Frame, 'cuts'>

/** The last message of this feed. Unless another writer has published since, it is the end of the stream. */
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
  readonly #reader: TailReader
  #own: Own | undefined

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
    this.#reader = new TailReader(js, manager, names, incidents)
    this.#replicas = replicas
  }

  /** Creates missing streams and checks existing ones. */
  open(): Promise<void> {
    return openStreams(this.manager, this.names, this.#replicas)
  }

  /**
   * Reads the end of the stream from the leader; `undefined` if there is no stream.
   *
   * @param eager - Whether to request the last message at the same time, because it is probably new.
   */
  tail(signal: AbortSignal, eager = false): Promise<Tail | undefined> {
    return this.#reader.read(signal, eager)
  }

  /** Deletes the log and the snapshots. */
  async reset(): Promise<void> {
    const { log, logSubject, snapshots, manifests, chunks } = this.names
    this.#own = undefined
    this.#reader.forget()
    await this.manager.streams.purge(log, { filter: logSubject })
    for (const filter of [manifests, chunks('*')])
      await this.manager.streams.purge(snapshots, { filter })
  }

  /**
   * Publishes the frame that `make` creates for the end of the stream, unless it creates none. Retries if another
   * writer was first. Returns the end for which the frame was created and, if it was published, its sequence number.
   */
  async publish(
    make: (tail: Tail | undefined) => FrameDraft | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly tail: Tail | undefined; readonly at: number | undefined }> {
    const own = this.#own
    this.#own = undefined
    // Calls that move only the head, such as a trim, also change other messages and need the current end.
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

  // The id is new for each message: the server deduplicates by id and must never mistake one for another. The next
  // message of this feed names it: no other writer's message has this id, regardless of its number.
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

  /** Drops everything before `seq` in the stream. */
  async dropBefore(seq: number, { firstSeq }: Tail): Promise<void> {
    // A purge up to 1 would remove everything; in an empty stream, the first message has the number 0.
    if (seq > Math.max(1, firstSeq)) await this.manager.streams.purge(this.names.log, { seq })
  }

  // A frame without events is obsolete after a newer one. Deleted in the background, because nothing depends on it.
  #retire(superseded: Placed | undefined): void {
    if (superseded === undefined || superseded.frame.events.length > 0) return
    this.manager.streams.deleteMessage(this.names.log, superseded.at, false).catch(() => false)
  }
}
