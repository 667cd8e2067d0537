/**
 * The publisher: appends this node's revocations in groups, exactly once, even if responses are lost.
 *
 * @module
 */

import { WatchwordError } from '../../errors.js'
import type { Position, SealedEvent, SealedHead } from '../../feed/feed.js'
import type { ResolvedClock } from '../../lib/clock.js'
import { expiryOf, type FeedEntry } from '../index/entries.js'
import { encodeEntries, groupEntries } from '../log/encode-event.js'
import type { FeedClient } from '../log/feed-client.js'
import { linkOf, MAX_PAYLOAD, seal, sealHead } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'
import type { FollowerKeys } from './follower-options.js'
import type { Replica } from './replica.js'

// The maximum number of events per append: a quarter of a megabyte or more would delay other writers.
const MAX_EVENTS = 10
const MAX_ATTEMPTS = 100
const MAX_UNCONFIRMED = 4
const MAX_BACKOFF_MS = 50

/** Options of the publisher. */
export interface PublisherOptions {
  readonly feedClient: FeedClient
  readonly replica: Replica
  readonly keys: FollowerKeys
  readonly clock: ResolvedClock
  readonly time: AgreedTime
  /** Timeout of a call, in milliseconds; also how long an append without a response is retried. */
  readonly deadlineMs: number
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  /** Brings the replica up to the head; rejects if that fails. */
  readonly pull: () => Promise<void>
  /** Called when the log has accepted this node's events and the node has applied all of them. */
  readonly onAppended: () => void
  /** The name of a new epoch. */
  readonly newEpoch: () => string
  /** A number in [0, 1). */
  readonly random: () => number
}

interface Job {
  readonly entries: readonly FeedEntry[]
  readonly resolve: (position: Position) => void
  readonly reject: (error: unknown) => void
}

interface AppendDraft {
  readonly events: readonly SealedEvent[]
  readonly next: SealedHead
}

/** One node's appends, one at a time, because each uses the link of the previous one. */
export class Publisher {
  readonly #options: PublisherOptions
  #queue: Job[] = []
  #running = false

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /**
   * Appends entries, together with all other entries waiting by the time the log is free. Resolves with the position of
   * the event that contains the last of them.
   *
   * Rejects with `ERR_REVOCATION_UNCERTAIN` if it is unknown whether the log accepted them; retrying is safe.
   */
  append(entries: readonly FeedEntry[]): Promise<Position> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    // Includes everything requested in the same tick.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const jobs = this.#nextGroup()
      try {
        const position = await this.#commit(jobs.flatMap(({ entries }) => entries))
        for (const { resolve } of jobs) resolve(position)
      } catch (error) {
        for (const { reject } of jobs) reject(error)
      }
    }
    this.#running = false
  }

  #nextGroup(): Job[] {
    const jobs: Job[] = []
    let entries = 0
    for (const job of this.#queue) {
      entries += job.entries.length
      if (jobs.length > 0 && entries > MAX_EVENTS * 500) break
      jobs.push(job)
    }
    this.#queue = this.#queue.slice(jobs.length)
    return jobs
  }

  async #commit(entries: readonly FeedEntry[]): Promise<Position> {
    const groups = [...groupEntries(entries, MAX_PAYLOAD)]
    let position = this.#options.replica.position
    do {
      position = await this.#appendGroups(groups.splice(0, MAX_EVENTS))
    } while (groups.length > 0)
    return position
  }

  async #appendGroups(groups: readonly (readonly FeedEntry[])[]): Promise<Position> {
    const { replica, keys, pull, clock, deadlineMs } = this.#options
    // All drafts that the log may have accepted: an abandoned request may still arrive.
    const drafts: AppendDraft[] = []
    let unconfirmed = 0
    const until = clock.monotonic() + deadlineMs
    for (let attempt = 0; attempt < MAX_ATTEMPTS && unconfirmed < MAX_UNCONFIRMED; attempt++) {
      if (replica.position.epoch === '') await pull().catch(uncertain)
      await keys.ready().catch(uncertain)
      const { position } = replica
      const draft = this.#draft(position, groups)
      drafts.push(draft)
      const result = await this.#try(position, draft)
      if (result === 'appended') return draft.next
      await pull().catch(uncertain)
      const landed = drafts.find(({ next }) => replica.agrees(next))
      if (landed !== undefined) return landed.next
      if (result === 'refused') await this.#pause(attempt - unconfirmed)
      // Bounded, because the caller is waiting. An append without a response may still arrive.
      else if (clock.monotonic() < until) unconfirmed++
      else break
    }
    return uncertain(undefined)
  }

  async #try(
    expect: Position,
    { events, next }: AppendDraft,
  ): Promise<'appended' | 'refused' | 'unconfirmed'> {
    const { feedClient, replica, onAppended } = this.#options
    const standing = expect.epoch === '' ? null : expect
    const result = await feedClient.append(standing, events, next).catch(() => undefined)
    if (result === undefined) return 'unconfirmed'
    if (!result.ok) return 'refused'
    if (standing === null && replica.position.epoch === '') replica.enter(next.epoch)
    for (const event of events) replica.take(event, event.seq)
    if (replica.agrees(next)) onAppended()
    return 'appended'
  }

  #draft(after: Position, groups: readonly (readonly FeedEntry[])[]): AppendDraft {
    const { keys, time, writer, replica, newEpoch } = this.#options
    const at = time.stamp()
    // There is no log yet: the first event creates it.
    const epoch = after.epoch === '' ? newEpoch() : after.epoch
    const events: SealedEvent[] = []
    let { seq, link } = after
    for (const entries of groups) {
      const header = { epoch, seq: seq + 1, link, at, second: 0, writer }
      const payload = encodeEntries(entries)
      const bytes = seal(keys, 'event', { ...header, first: expiryOf(entries) }, payload)
      events.push({ seq: ++seq, bytes })
      link = linkOf(bytes)
    }
    const head = { epoch, seq, link, at, ...extentOf(replica, groups.flat()), writer }
    return { events, next: sealHead(keys, head, time.vouched()) }
  }

  // Colliding writers retry after a random delay.
  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#options
    const longest = Math.min(MAX_BACKOFF_MS, 2 ** Math.min(attempt, 10) / 2)
    const delay = Math.floor(random() * longest)
    return delay === 0
      ? Promise.resolve()
      : new Promise((resolve) => void clock.setTimer(resolve, delay))
  }
}

// The beginning of the log after these entries, which later readers must find in the head.
function extentOf(replica: Replica, entries: readonly FeedEntry[]) {
  let { floor: first, snapshotSeq: second } = replica
  for (const entry of entries) {
    if (entry.kind === 'trim') first = Math.max(first, entry.until)
    if (entry.kind === 'snapshot') second = entry.until
  }
  return { first, second }
}

function uncertain(cause: unknown): never {
  const reason = cause instanceof WatchwordError ? `: ${cause.message}` : ''
  const message = `the feed did not confirm a revocation${reason}`
  throw new WatchwordError('ERR_REVOCATION_UNCERTAIN', message, { cause })
}
