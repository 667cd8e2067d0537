/**
 * A log with faults: data loss in a broker, and tampering by an attacker with write access to it.
 *
 * @module
 */
import type { RevocationFeed, SealedEvent, SealedHead, WatchHint } from '../../feed/feed.js'
import { emptyLog, feedOf, indexOf, type MemoryLog } from '../../feed/memory-log.js'

/** A log under a test's control. An assignment is visible to every node immediately, but wakes none. */
export interface ChaosLog {
  /** The stored head: assign a forged or an earlier one; `null` means that there is no log. */
  head: SealedHead | null
  /** The floor that the feeds report. */
  floor: number
  /** The stored events, ascending: assign fewer, others, or several with one seq. */
  events: readonly SealedEvent[]
  /** The stored chunks of the snapshot. */
  chunks: readonly Uint8Array[]
  /** A feed over the log for one more node, as if in a separate process. */
  feed(): RevocationFeed
  /**
   * Removes at least that many of the newest events and sets the head back to the earlier one, like a restored backup
   * or a replica that had not received them. Returns the number removed. The next append uses the same seq with another
   * link.
   */
  rollback(events: number): number
  /** Saves the whole log. Calling the result restores it. */
  backup(): () => void
  /** Deletes the log and the snapshot. */
  wipe(): void
  /** Trims the log like a foreign writer; the feeds report it. */
  truncate(upTo: number): void
  /** Flips one bit of the event with this seq. */
  flip(seq: number, bit?: number): void
  /** Adds an event at its seq without moving the head. */
  plant(event: SealedEvent): void
  /** Wakes every watch with the given hint. */
  push(hint?: WatchHint): void
}

/**
 * Creates an empty log in memory. Its feeds follow the contract, and tests can corrupt its content underneath them.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { chaosLog } from 'watchword/testkit'
 *
 * const log = chaosLog()
 * const policies = { job: { ttl: '5m', scopes: [] } } as const
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', feed: log.feed(), policies })
 * const { id } = await watchword.issue({ policy: 'job', subject: 'svc_mail', actor: 'ops' })
 * await watchword.revoke({ id }, { actor: 'ops' })
 * log.rollback(1)
 * // The node still has the revocation, detects that the log lost it, and republishes it.
 * await watchword.close()
 * ```
 */
export function chaosLog(): ChaosLog {
  const log: MemoryLog = emptyLog()
  // Earlier heads, oldest first: a rollback needs a head with a valid seal.
  let heads: SealedHead[] = []

  function recording(feed: RevocationFeed): RevocationFeed {
    const { append, touch } = feed
    return {
      ...feed,
      async append(...args) {
        const result = await append(...args)
        if (result.ok) note()
        return result
      },
      async touch(...args) {
        const touched = (await touch?.(...args)) ?? false
        if (touched) note()
        return touched
      },
    }
  }

  function note(): void {
    if (log.head !== null && log.head !== heads.at(-1)) heads.push(log.head)
  }

  function change(seq: number, by: (event: SealedEvent) => SealedEvent): void {
    log.events = log.events.map((event) => (event.seq === seq ? by(event) : event))
  }

  return {
    get head() {
      return log.head
    },
    set head(head) {
      log.head = head
    },
    get floor() {
      return log.floor
    },
    set floor(floor) {
      log.floor = floor
    },
    get events() {
      return [...log.events]
    },
    set events(events) {
      log.events = [...events]
    },
    get chunks() {
      return log.chunks
    },
    set chunks(chunks) {
      log.chunks = chunks
    },
    feed: () => recording(feedOf(log)),
    rollback(events) {
      const { head } = log
      if (head === null) return 0
      const isBefore = ({ epoch, seq }: SealedHead) =>
        epoch === head.epoch && seq <= head.seq - events
      heads = heads.slice(0, heads.findLastIndex(isBefore) + 1)
      log.head = heads.at(-1) ?? null
      const { seq } = log.head ?? { seq: 0 }
      log.events = log.events.slice(0, indexOf(log.events, seq + 1))
      log.floor = Math.min(log.floor, seq + 1)
      return head.seq - seq
    },
    backup() {
      const { head, floor, events, chunks } = log
      const kept = { head, floor, events: [...events], chunks, heads: [...heads] }
      return () => {
        const { heads: before, events: stored, ...rest } = kept
        heads = [...before]
        Object.assign(log, rest, { events: [...stored] })
      }
    },
    wipe() {
      Object.assign(log, { ...emptyLog(), wakes: log.wakes })
      heads = []
    },
    truncate(upTo) {
      log.events = log.events.slice(indexOf(log.events, upTo + 1))
      log.floor = Math.max(log.floor, upTo + 1)
    },
    flip(seq, bit = 0) {
      change(seq, ({ bytes }) => {
        const flipped = bytes.slice()
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        return { seq, bytes: flipped }
      })
    },
    plant({ seq, bytes }) {
      const at = indexOf(log.events, seq + 1)
      log.events = log.events.toSpliced(at, 0, { seq, bytes: bytes.slice() })
    },
    push(hint) {
      for (const wake of log.wakes) wake(hint)
    },
  }
}
