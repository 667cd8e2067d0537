/**
 * A log with faults: data loss of a broker, and tampering by an attacker with write access to it.
 *
 * @module
 */
import type { RevocationFeed, SealedEvent, SealedHead, WatchHint } from '../../feed/feed.js'
import { emptyLog, feedOf, indexOf, type MemoryLog } from '../../feed/memory-log.js'

/** A log under a test's control. An assignment is visible to every node at once and wakes none. */
export interface ChaosLog {
  /** The head as it is stored: assign a forged one, or one that stood before; `null` is no log. */
  head: SealedHead | null
  /** How far back the feeds say that the log reaches. */
  floor: number
  /** The events as they are stored, ascending: assign fewer, others, or several of one seq. */
  events: readonly SealedEvent[]
  /** The chunks of the snapshot as they are stored. */
  chunks: readonly Uint8Array[]
  /** A feed over the log for one more node, as if it were in a separate process. */
  feed(): RevocationFeed
  /**
   * Takes the newest events away, at least that many, and sets the head back to the one that stood then, as a restored
   * backup or a replica that had not received them does. Returns how many were removed. The next append refills the log
   * to the same seq with another link.
   */
  rollback(events: number): number
  /** Saves the whole log. Calling the result restores it. */
  backup(): () => void
  /** Log and snapshot are gone. */
  wipe(): void
  /** Another writer trimmed the log, and the feeds report it. */
  truncate(upTo: number): void
  /** Flips one bit of the event with this seq. */
  flip(seq: number, bit?: number): void
  /** Puts an event into the log, at its seq, without a word in the head. */
  plant(event: SealedEvent): void
  /** Wakes every watch with the given hint. */
  push(hint?: WatchHint): void
}

/**
 * Makes an empty log in memory whose feeds keep to the contract, and whose content can be faulted underneath them.
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
 * // The node still knows, finds that the log does not, and gives it back.
 * await watchword.close()
 * ```
 */
export function chaosLog(): ChaosLog {
  const log: MemoryLog = emptyLog()
  // The heads that stood, oldest first: a head that is set back needs a seal that was good once.
  let heads: SealedHead[] = []

  function recording(feed: RevocationFeed): RevocationFeed {
    const { append, touch } = feed
    return {
      ...feed,
      async append(...args) {
        const answer = await append(...args)
        if (answer.ok) note()
        return answer
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
