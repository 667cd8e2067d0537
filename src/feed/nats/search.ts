/**
 * Finds the newest frame when the last message of the stream is not a frame.
 *
 * Other clients may be able to publish on the subject of the log. Messages that no node can have written are skipped
 * and deleted.
 *
 * @module
 */

import {
  type JetStreamClient,
  type JetStreamManager,
  maxPayload,
  type StoredMessage,
  type StreamInfo,
} from '../../clients/nats/client.js'
import type { Incidents } from '../incidents.js'
import { decodeFrame, isOfAnotherForm, type Placed } from './frame.js'
import { Searched } from './searched.js'
import type { Names } from './streams.js'

// Bounds the memory of one request: each message may be as long as the server allows.
const SEARCH_BYTES = 32 * 1024 * 1024
const MOST_SEARCHED = 32
const MOST_DELETED = 64

/** The search of one feed. */
export class Search {
  readonly #js: JetStreamClient
  readonly #manager: JetStreamManager
  readonly #names: Names
  readonly #incidents: Incidents
  readonly #searched = new Searched()
  readonly #doomed: number[] = []
  #isDeleting = false

  constructor(js: JetStreamClient, manager: JetStreamManager, names: Names, incidents: Incidents) {
    this.#js = js
    this.#manager = manager
    this.#names = names
    this.#incidents = incidents
  }

  /** Returns the newest frame, if any: searches backwards from the end, past foreign and deleted messages. */
  async run(info: StreamInfo, signal: AbortSignal): Promise<Placed | undefined> {
    const { first_seq: firstSeq, last_seq: lastSeq } = info.state
    const searched = this.#searched
    searched.begin(info.created, lastSeq)
    // Deleted messages at the end are skipped in one step.
    let high = (await this.#last())?.seq ?? lastSeq
    const most = Math.max(1, Math.min(MOST_SEARCHED, SEARCH_BYTES / maxPayload(this.#js)))
    for (let step = 1; ; step = Math.floor(most)) {
      high = searched.below(high)
      if (high < firstSeq) break
      signal.throwIfAborted()
      const low = Math.max(firstSeq, searched.floorOf(high), high - step + 1)
      const found = await this.#look(low, high)
      if (found !== undefined) {
        // A message above it may still be there next time.
        if (found.at < high) searched.add(found.at + 1, high)
        return found
      }
      searched.add(low, high)
    }
    return undefined
  }

  // Returns the newest frame between two numbers. Deletes messages above it that are not frames.
  async #look(low: number, high: number): Promise<Placed | undefined> {
    const { streams } = this.#manager
    const seqs = Array.from({ length: high - low + 1 }, (_, i) => high - i)
    const messages = await Promise.all(
      seqs.map((seq) => streams.getMessage(this.#names.log, { seq })),
    )
    const junk: number[] = []
    for (const message of messages) {
      if (message === null) continue
      const frame = decodeFrame(message.data)
      if (frame !== undefined) {
        this.#remove(junk)
        return { at: message.seq, frame }
      }
      if (!isOfAnotherForm(message.data)) junk.push(message.seq)
    }
    this.#remove(junk)
    return undefined
  }

  #remove(junk: readonly number[]): void {
    if (junk.length === 0) return
    this.#incidents.tell('junk', junk.length)
    this.#doomed.push(...junk)
    if (!this.#isDeleting) void this.#deleteAll()
  }

  // In the background, because nothing depends on it. Other nodes may delete the same messages.
  async #deleteAll(): Promise<void> {
    this.#isDeleting = true
    const { streams } = this.#manager
    while (this.#doomed.length > 0)
      await Promise.all(
        this.#doomed
          .splice(0, MOST_DELETED)
          .map((seq) => streams.deleteMessage(this.#names.log, seq, false).catch(() => false)),
      )
    this.#isDeleting = false
  }

  #last(): Promise<StoredMessage | null> {
    const { log, logSubject } = this.#names
    return this.#manager.streams.getMessage(log, { last_by_subj: logSubject }).catch(() => null)
  }
}
