/**
 * The checker: compares every node's verdicts with the acknowledged revocations, and their times.
 *
 * @module
 */
import { decodeTime } from 'ulid'
import type { SealedHead } from '../../src/feed/feed.js'
import { INCOMPLETE } from '../../src/revocation/follower/epoch-writer.js'
import type { RevocationEntry } from '../../src/revocation/index/entries.js'
import {
  combine,
  isNodeEntry,
  isWatermark,
  reachesFurther,
  targetOf,
} from '../../src/revocation/index/entries.js'
import type { TokenFacts } from '../../src/revocation/index/revocation-index.js'
import { open, openHead, type SealKeys } from '../../src/revocation/log/seal.js'
import type { ChaosLog } from '../../src/testkit/chaos/log.js'
import type { LocalKey } from '../../src/token/paserk.js'
import { decodeEntries } from '../support/decode-entries.js'
import type { Broker } from './broker.js'
import { MAX_STALENESS_MS, type Process, TOLERANCE_MS } from './node.js'
import type { Time } from './time.js'

/** A promise that was broken. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** A revocation that was acknowledged. */
export interface Acked {
  readonly name: string
  readonly entry: RevocationEntry
  /** The entries that every node must apply. */
  readonly tokens: readonly TokenFacts[]
  /** When it was acknowledged. */
  readonly at: number
  /** When the log last lacked it after a fault removed it; infinite while it is missing. */
  lackedUntil: number
}

/** The exceptions that a world allows at its end. */
export interface Rest {
  /** All nodes were gone at once and the log lost events: the store must supply them, without exception. */
  readonly isForgotten: boolean
  /** A node may reject every token, because the log is damaged and there is no store. */
  readonly mayBeDown: boolean
}

/** The parts of a world that the checker reads. */
export interface CheckerOptions {
  readonly time: Time
  readonly broker: Broker
  readonly vault: ReadonlyMap<string, LocalKey>
  readonly running: readonly Process[]
  /** Whether a resumed node can read missed revocations from the store, and has a clock that is reliable enough. */
  readonly isTold: boolean
  /** Whether the log never loses events, so that a node has no excuse for missing one. */
  readonly isWhole: boolean
}

// A timer in whole milliseconds may fire up to one millisecond late.
const ROUNDING_MS = 1
// The longest interval between two checks while nothing happens.
const POLL_MS = 1200
// A node accepts an old head while its seal is recent, by a clock that may be behind another node's.
const FROZEN_MS = MAX_STALENESS_MS + 2 * TOLERANCE_MS

/** Watches one world. */
export class Checker {
  readonly acked: Acked[] = []
  /** Whether a process was killed, so that its state was lost. */
  lostProcesses = 0
  readonly #options: CheckerOptions
  readonly #keys: SealKeys
  readonly #contents = new WeakMap<object, readonly RevocationEntry[]>()
  readonly #missing = new WeakMap<Process, Set<Acked>>()
  readonly #frozenAt = new WeakMap<Process, number>()
  readonly #staleAt = new WeakMap<Process, number>()
  readonly #tokens = new Set<string>()
  readonly #subjects = new Map<string, number>()

  constructor(options: CheckerOptions) {
    this.#options = options
    this.#keys = {
      opening: (id) => options.vault.get(id),
      sealing: () => {
        throw new Error('the checker seals nothing')
      },
    }
  }

  /** Records a revocation that was started. */
  attempted(entry: RevocationEntry): void {
    if (entry.kind === 'token') this.#tokens.add(entry.value)
    else if (isWatermark(entry))
      this.#subjects.set(entry.value, Math.max(entry.before, this.#subjects.get(entry.value) ?? 0))
  }

  /** Records a revocation that was acknowledged. */
  acknowledged(name: string, entry: RevocationEntry, tokens: readonly TokenFacts[]): void {
    const at = this.#options.time.now
    const acked = { name, entry, tokens, at, lackedUntil: Number.NEGATIVE_INFINITY }
    this.acked.push(acked)
    for (const process of this.#options.running) this.#missing.get(process)?.add(acked)
    this.logChanged()
  }

  /** Records that a process started. */
  started(process: Process): void {
    this.#missing.set(process, new Set(this.acked))
  }

  /** I3: records that a process ends. Until then it must reject every token that it ever rejected. */
  ended(process: Process): void {
    this.lostProcesses++
    this.#stillDenies(process)
  }

  #stillDenies(process: Process): void {
    const missing = this.#missing.get(process)
    for (const acked of this.acked) {
      if (missing?.has(acked) || refuses(process, acked)) continue
      throw new Violation(`I3: ${process.name} accepts ${acked.name} again`)
    }
  }

  /** Records that a process receives an old head from now on. */
  froze(process: Process): void {
    this.#frozenAt.set(process, this.#options.time.now)
  }

  /** Records that the log was replaced or changed. */
  logChanged(): void {
    const { now } = this.#options.time
    const has = this.#holdings()
    for (const acked of this.acked) {
      if (!has(acked.entry)) acked.lackedUntil = Number.POSITIVE_INFINITY
      else if (acked.lackedUntil === Number.POSITIVE_INFINITY) acked.lackedUntil = now
    }
  }

  /** I1 and I4: checks every node that could make a decision at this moment. */
  watch(): void {
    for (const process of this.#options.running) {
      if (process.owner.suspended) continue
      if (!process.isFresh) {
        this.#staleAt.set(process, this.#options.time.now)
        continue
      }
      this.#confirmed(process)
      const missing = this.#missing.get(process)
      if (missing !== undefined && missing.size > 0) this.#denies(process, missing)
    }
  }

  #confirmed(process: Process): void {
    // The store is as complete as the log: it has every acknowledged revocation.
    const confirmedAt = Math.max(process.line.confirmedAt, process.toldAt)
    const age = this.#options.time.now - confirmedAt
    if (age <= MAX_STALENESS_MS + ROUNDING_MS || this.#isShownAPicture(process)) return
    throw new Violation(`I4: ${process.name} is live, and the log last replied ${age} ms ago`)
  }

  #denies(process: Process, missing: Set<Acked>): void {
    const { now } = this.#options.time
    for (const acked of missing) {
      if (knows(process, acked)) {
        missing.delete(acked)
        continue
      }
      if (refuses(process, acked) || isUnaware(process)) continue
      const isExcused = !this.#options.isWhole && !this.#wasTold(process, acked)
      const told = isExcused ? Math.max(acked.at, acked.lackedUntil) : acked.at
      // A node that starts alone must first detect that no other node is running.
      const since =
        acked.entry.kind === 'rotated' ? Math.max(told, process.startedAt + POLL_MS) : told
      if (now - since <= MAX_STALENESS_MS + ROUNDING_MS || this.#isShownAPicture(process)) continue
      throw new Violation(
        `I1: ${process.name} accepts ${acked.name}, revoked ${now - acked.at} ms ago`,
      )
    }
  }

  // A node that was stale reads the store before it accepts tokens again, but not before the head that proves it fresh.
  #wasTold(process: Process, { at }: Acked): boolean {
    const staleAt = this.#staleAt.get(process) ?? Number.NEGATIVE_INFINITY
    return this.#options.isTold && at < staleAt - MAX_STALENESS_MS
  }

  #isShownAPicture(process: Process): boolean {
    return this.#options.time.now - (this.#frozenAt.get(process) ?? -Infinity) <= FROZEN_MS
  }

  /** I2, I3, I5 and I6: checked after all activity has stopped. */
  atRest(tokens: readonly TokenFacts[], { isForgotten, mayBeDown }: Rest): void {
    const all = this.#options.running
    const running = all.filter(({ isFresh }) => isFresh)
    // A node whose clock is wrong by hours or more cannot determine the age of a seal.
    const down = all.find(({ isFresh, isAboutRight }) => !isFresh && isAboutRight)
    if (down !== undefined && !mayBeDown)
      throw new Violation(`I2: ${down.name} does not come back to life`)
    const has = this.#holdings()
    for (const process of running) {
      if (process.follower.pending > 0)
        throw new Violation(`I5: ${process.name} still has pending revocations`)
      this.#stillDenies(process)
      this.#deniesOnly(process, tokens)
    }
    for (const acked of this.acked) {
      if (running.every((process) => refuses(process, acked))) continue
      const knowing = running.filter((process) => knows(process, acked))
      // The nodes and the log that had it are gone or down, so only the store could supply it.
      const isHeld = all.some((process) => !process.isFresh && knows(process, acked))
      const isLost = this.lostProcesses > 0 || isHeld
      const isGone = knowing.length === 0 && !has(acked.entry) && isLost
      if (isGone && !isForgotten && !this.#options.isWhole && !this.#options.isTold) continue
      const names = knowing.map(({ name }) => name).join(', ')
      throw new Violation(`I2: ${acked.name} is denied by no node but (${names})`)
    }
  }

  /** I2: all nodes have the same entries if the log lost none. */
  sameEverywhere(): void {
    const digests = this.#options.running.map(({ index }) => index.digest())
    if (new Set(digests).size > 1) throw new Violation(`I2: digests ${digests.join(' ')}`)
  }

  #deniesOnly(process: Process, tokens: readonly TokenFacts[]): void {
    for (const token of tokens) {
      const isMeant =
        this.#tokens.has(token.id) || bornAt(token) <= (this.#subjects.get(token.subject) ?? -1)
      if (process.denies(token) && !isMeant)
        throw new Violation(`I6: ${process.name} denies ${token.id}, which was never revoked`)
    }
  }

  /** Whether every node has applied every acknowledged entry. */
  isKnown(): boolean {
    const { running } = this.#options
    return running.every((process) => this.acked.every((acked) => refuses(process, acked)))
  }

  /** Every entry that a reader of the current log would have. */
  #holdings(): (entry: RevocationEntry) => boolean {
    const held = new Holdings()
    for (const log of this.#options.broker.logs) this.#read(log, held)
    return (entry) => held.has(entry)
  }

  #read(log: ChaosLog, into: Holdings): void {
    const { head, floor } = log
    if (head === null) return
    for (const event of log.events) {
      if (event.seq > head.seq || event.seq < floor) continue
      for (const entry of this.#contentOf(event, 'event', event.bytes)) into.add(entry)
    }
    for (const chunk of this.#hasSnapshot(head) ? log.chunks : [])
      for (const entry of this.#contentOf(chunk, 'chunk', chunk)) into.add(entry)
  }

  // No node would read a snapshot of events that were rolled back or not yet announced, nor of an earlier epoch.
  #hasSnapshot(head: SealedHead): boolean {
    const opened = openHead(this.#keys, head)
    return 'failure' in opened || (opened.second > 0 && opened.second < INCOMPLETE)
  }

  #contentOf(
    holder: object,
    type: 'event' | 'chunk',
    bytes: Uint8Array,
  ): readonly RevocationEntry[] {
    const known = this.#contents.get(holder)
    if (known !== undefined) return known
    const opened = open(this.#keys, type, bytes)
    const entries = 'failure' in opened ? [] : (decodeEntries(opened.payload) ?? [])
    const content = entries.filter((entry): entry is RevocationEntry => !isNodeEntry(entry))
    this.#contents.set(holder, content)
    return content
  }
}

/** When the first token of the family was issued. A time-based revocation that covers it covers all its successors. */
export const bornAt = ({ family }: TokenFacts): number => decodeTime(family)

/**
 * Whether the process knows no other node and the store reports none. It then cannot detect a node that
 * started on the other side of a split.
 */
const isUnaware = ({ follower, isCutOff }: Process): boolean => isCutOff && follower.standing.alone

/** Whether the process has applied the acknowledged entry. */
const knows = (process: Process, { entry, tokens }: Acked): boolean =>
  entry.kind === 'restricted'
    ? process.covers(entry)
    : tokens.every((token) => process.ends(token, entry))

/** Whether the process rejects the token, fresh or not: it is revoked, expired, or not yet valid on its clock. */
const refuses = (process: Process, { entry, tokens }: Acked): boolean =>
  entry.kind === 'restricted'
    ? process.covers(entry)
    : tokens.every((token) => process.ends(token, entry) || process.isOutOfTime(token))

/** The latest time covered by a revocation of each target. */
class Holdings {
  readonly #entries = new Map<string, RevocationEntry>()

  add(entry: RevocationEntry): void {
    const target = targetOf(entry)
    const held = this.#entries.get(target)
    this.#entries.set(target, held === undefined ? entry : combine(held, entry))
  }

  has(entry: RevocationEntry): boolean {
    const held = this.#entries.get(targetOf(entry))
    return held !== undefined && !reachesFurther(entry, held)
  }
}
