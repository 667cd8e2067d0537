/**
 * The replica: one node's copy of the log. It accepts events from any source, trusts only their seals, and advances
 * only along the chain.
 *
 * @module
 */
import { type Position, type SealedEvent, type SealedHead, sameBytes } from '../../feed/feed.js'
import { has } from '../../lib/fields.js'
import type { NodeEntry } from '../index/entries.js'
import type { RevocationIndex } from '../index/revocation-index.js'
import { BlockExpiry } from '../log/block-expiry.js'
import { applyEntries } from '../log/decode-event.js'
import { claimsPlace, linkOf, type Opened, open, type SealKeys, ZERO_LINK } from '../log/seal.js'

/** The number of recent links that a node keeps, to distinguish a head that it has passed from another history. */
const LINKS = 4096
const PAST_EPOCHS = 16

/** The position of a node that has not read a log yet. */
const NOWHERE: Position = { epoch: '', seq: 0, link: ZERO_LINK }

/**
 * The result of an event. `applied`: the position advanced. `known`: it was applied before. `ahead`: its entries apply,
 * but events before it are missing. `fork`: authentic, but from another history. `foreign`: from another epoch.
 * `refused`: not authentic. `unreadable`: its key or format is unknown to this node. `full`: the index has no space for
 * it.
 */
export type Taken =
  | 'applied'
  | 'known'
  | 'ahead'
  | 'fork'
  | 'foreign'
  | 'refused'
  | 'unreadable'
  | 'full'

/** Options of the replica. */
export interface ReplicaOptions {
  readonly keys: SealKeys
  readonly index: RevocationIndex
  /** A time that has certainly passed, in Unix milliseconds; `undefined` while none is known. */
  readonly time: { certain(): number | undefined }
  /** The maximum clock skew between nodes, in milliseconds. */
  readonly maxSkewMs: number
  /** Called with the entries that nodes publish about themselves, and their event. */
  readonly onNode: (entry: NodeEntry, event: Opened) => void
  /** Called with each event that is read along the chain. */
  readonly onEvent?: (event: Opened) => void
}

/** One node's copy of the log: its position and recent links. */
export class Replica {
  readonly #options: ReplicaOptions
  readonly #links = new Map<number, Uint8Array>()
  readonly #past = new Map<string, number>()
  readonly #expiries = new BlockExpiry()
  #position: Position = NOWHERE
  // After a trim, no node has the link before the first event: the link in that sealed event is used.
  #adopts = false
  readonly #ahead = new Map<number, Uint8Array>()
  #seen = 0
  /** Whether the log has a different event at a position where this node has seen one. */
  contradicted = false
  /** The entries of the log, while they are compared with those of this node. */
  shadow: RevocationIndex | undefined
  /** The entries that the log has delivered since a caller started collecting. */
  heard: RevocationIndex | undefined
  /** The lowest `seq` of the log, according to its head. */
  floor = 1
  /** The `seq` of the snapshot with the trimmed events; 0 if they had all expired. */
  snapshotSeq = 0
  /** The number of events that were not authentic. */
  refused = 0

  constructor(options: ReplicaOptions) {
    this.#options = options
  }

  /** The last event that was applied. */
  get position(): Position {
    return this.#position
  }

  /** The highest `seq` of this epoch for which this node has seen an authentic event. */
  get seen(): number {
    return Math.max(this.#seen, this.#position.seq)
  }

  /** Moves to a position in the log and keeps the index. Without a link, the link in the next event is used. */
  enter(epoch: string, seq = 0, link: Uint8Array | undefined = undefined): void {
    this.#remember()
    if (epoch !== this.#position.epoch) {
      this.floor = 1
      this.snapshotSeq = 0
    }
    this.#position = { epoch, seq, link: link ?? ZERO_LINK }
    this.#adopts = link === undefined && seq > 0
    this.#links.clear()
    this.#ahead.clear()
    this.#seen = seq
    this.contradicted = false
    this.#expiries.clear()
    if (!this.#adopts) this.#links.set(seq, this.#position.link)
  }

  #remember(): void {
    const { epoch, seq } = this.#position
    if (epoch === '') return
    this.#past.set(epoch, Math.max(seq, this.#past.get(epoch) ?? 0))
    const [oldest] = this.#past.keys()
    if (this.#past.size > PAST_EPOCHS && oldest !== undefined) this.#past.delete(oldest)
  }

  /** Whether this node has applied that event, in this epoch or in an earlier one that it followed. */
  reached(epoch: string, seq: number): boolean {
    const at = epoch === this.#position.epoch ? this.#position.seq : -1
    return Math.max(at, this.#past.get(epoch) ?? -1) >= seq
  }

  /** Whether the history up to this head is the one that this node applied. */
  agrees({ epoch, seq, link }: Position): boolean {
    if (epoch !== this.#position.epoch) return false
    const known = this.#links.get(seq)
    return known !== undefined && sameBytes(known, link)
  }

  /** Applies the contents of an authentic head: the floor and the snapshot. */
  learn(head: SealedHead, opened: Opened): void {
    if (head.epoch !== this.#position.epoch) return
    this.floor = Math.max(this.floor, opened.first)
    if (head.seq >= this.#position.seq) this.snapshotSeq = opened.second
  }

  /** The highest `seq` up to which all events concern only tokens expired at this time. */
  expiredUpTo(now: number): number {
    return this.#expiries.deadUpTo(this.floor, this.#position.seq, now)
  }

  /** Processes one event. `covered` is the highest `seq` that an authentic head is known to include. */
  take(event: SealedEvent, covered = 0): Taken {
    const { seq, bytes } = event
    const { seq: last, epoch } = this.#position
    if (seq <= last && this.#knows(event)) return 'known'
    const opened = open(this.#options.keys, 'event', bytes)
    if (has(opened, 'failure')) {
      if (opened.failure === 'unknown_key' && seq <= covered && seq === last + 1)
        return this.#passOver(event, opened.claimed.first)
      return this.#refuse()
    }
    if (opened.seq !== seq) return this.#refuse()
    const follows = this.#adopts || sameBytes(opened.link, this.#position.link)
    const isNext = opened.epoch === epoch && seq === last + 1 && follows
    const applied = this.#apply(opened, isNext)
    if (applied !== 'applied') return applied
    if (opened.epoch !== epoch) return 'foreign'
    if (seq > last + 1) return this.#note(event)
    if (!isNext) return 'fork'
    // Only events read along the chain are known to be in the log.
    for (const index of [this.shadow, this.heard])
      if (index !== undefined) applyEntries(opened.payload, { index })
    this.#advance(event, opened.first)
    return 'applied'
  }

  // The log had this event. If the event is missing later, the log was rolled back in between.
  #note({ seq, bytes }: SealedEvent): Taken {
    if (this.#ahead.size < LINKS) this.#ahead.set(seq, linkOf(bytes))
    this.#seen = Math.max(this.#seen, seq)
    return 'ahead'
  }

  #knows({ seq, bytes }: SealedEvent): boolean {
    const link = this.#links.get(seq)
    return link === undefined || sameBytes(link, linkOf(bytes))
  }

  #refuse(): Taken {
    this.refused++
    return 'refused'
  }

  #hear(entry: NodeEntry, event: Opened): void {
    if (entry.kind === 'trim') this.floor = Math.max(this.floor, entry.until)
    if (entry.kind === 'snapshot') this.snapshotSeq = entry.until
    this.#options.onNode(entry, event)
  }

  // Authentic revocations apply at any position: they can only be early or repeated. Entries about nodes and the log
  // apply only at their own time and position, so a replay of them is ignored.
  #apply(opened: Opened, isNext: boolean): Taken {
    const { index } = this.#options
    const onNode = (entry: NodeEntry) => this.#hear(entry, opened)
    const outcome = applyEntries(opened.payload, isNext ? { index, onNode } : { index })
    if (outcome === undefined) return 'unreadable'
    if (outcome.refused > 0) return 'full'
    if (isNext) this.#options.onEvent?.(opened)
    return 'applied'
  }

  // The key is missing and every token that the event could concern has expired. The chain covers the event, so it is
  // skipped.
  #passOver(event: SealedEvent, expiresAt: number): Taken {
    const { epoch, link } = this.#position
    const { time, maxSkewMs } = this.#options
    const dead = expiresAt < (time.certain() ?? Number.NEGATIVE_INFINITY) - maxSkewMs
    if (!dead || this.#adopts || !claimsPlace(event, epoch, link)) return 'unreadable'
    this.#advance(event, expiresAt)
    return 'applied'
  }

  #advance({ seq, bytes }: SealedEvent, expiresAt: number): void {
    this.#adopts = false
    const link = linkOf(bytes)
    const ahead = this.#ahead.get(seq)
    if (ahead !== undefined && !sameBytes(ahead, link)) this.contradicted = true
    this.#ahead.delete(seq)
    this.#position = { epoch: this.#position.epoch, seq, link }
    this.#links.set(seq, link)
    this.#links.delete(seq - LINKS)
    this.#expiries.note(seq, expiresAt)
  }
}
