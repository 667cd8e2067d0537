/**
 * The nodes of a fleet, as the log tells of them: who follows it, and who has applied what.
 *
 * A node joins when it is up to date and leaves when it stops. One that is asked for word, and gives none for longer
 * than anything may be stale, is dead or refuses everything: it is taken off the list, and joins again if it lives.
 *
 * @module
 */
import type { ResolvedClock, Timer } from '../clock.js'
import { type Position, type RevocationFeed, sameBytes } from '../feed/feed.js'
import type { FeedEntry, NodeEntry } from './event.js'
import type { Replica } from './replica.js'
import type { Opened } from './seal.js'

/** Which nodes have applied an event, by name, and which ones have not said so. */
export interface RollCall {
  readonly position: Position
  readonly applied: readonly string[]
  readonly pending: readonly string[]
}

/** What this part needs. */
export interface NodesOptions {
  readonly name: string
  readonly feed: RevocationFeed
  readonly replica: Replica
  readonly clock: ResolvedClock
  readonly writer: Uint8Array
  readonly maxStalenessMs: number
  readonly publish: (entries: readonly FeedEntry[]) => Promise<Position>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** A call that is older than this is answered by nobody: whoever made it has stopped waiting. */
const MAX_CALL_AGE_MS = 60_000
const MAX_JOIN_DELAY_MS = 100
const MAX_LEASE_MS = 10 * 60_000

interface Call {
  /** Where its event stands; until that is known, nobody can have answered it. */
  seq: number
  readonly done: () => void
}

// Authorities on one feed object of one process hear of an event before the append resolves: there is nobody to ask.
const neighbours = new WeakMap<RevocationFeed, Set<Nodes>>()

/** One node's list of all nodes. */
export class Nodes {
  readonly #options: NodesOptions
  readonly #members = new Map<string, number>()
  /** The highest `seq` that each node has said it has applied. */
  readonly #acked = new Map<string, number>()
  readonly #calls = new Set<Call>()
  #lease: { readonly holder: string; readonly until: number } | undefined
  #epoch = ''
  #joining: Timer | undefined
  #stopped = false

  constructor(options: NodesOptions) {
    this.#options = options
    if (options.feed.peek === undefined) return
    const here = neighbours.get(options.feed) ?? new Set()
    neighbours.set(options.feed, here.add(this))
  }

  /** Takes in what a node said in an event. */
  hear({ kind, value, until }: NodeEntry, event: Opened): void {
    this.#follow()
    if (kind === 'join') this.#members.set(value, until)
    else if (kind === 'leave') this.#left(value)
    else if (kind === 'ack') this.#acknowledged(value, until)
    else if (kind === 'lease') this.#leased(value, until)
    else if (kind === 'call') this.#called(event)
  }

  // In another life of the log everybody says again who they are.
  #follow(): void {
    const { epoch } = this.#options.replica.position
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#members.clear()
    this.#acked.clear()
    this.#lease = undefined
  }

  #left(name: string): void {
    this.#members.delete(name)
    this.#acked.delete(name)
    for (const call of this.#calls) this.#check(call)
  }

  #acknowledged(name: string, seq: number): void {
    this.#acked.set(name, Math.max(seq, this.#acked.get(name) ?? 0))
    for (const call of this.#calls) this.#check(call)
  }

  #leased(holder: string, until: number): void {
    const now = this.#options.clock.now()
    // Of a node whose clock is ahead: it would keep all others from compacting for as long.
    if (until > now + MAX_LEASE_MS) return
    if (this.#lease === undefined || this.#lease.until <= now || this.#lease.holder === holder)
      this.#lease = { holder, until }
  }

  #called({ writer, seq, at }: Opened): void {
    const { clock, name, publish } = this.#options
    if (this.#stopped || sameBytes(writer, this.#options.writer)) return
    if (!this.#members.has(name) || clock.now() - at > MAX_CALL_AGE_MS) return
    // Only once the event is applied to its end, which is after this.
    queueMicrotask(() => {
      void publish([{ kind: 'ack', value: name, until: seq }]).catch(() => undefined)
    })
  }

  /** This node is up to date: says so to the others, if they do not know yet. */
  live(): void {
    const { feed, clock, name, publish } = this.#options
    if (feed.peek !== undefined || this.#stopped || this.#joining !== undefined) return
    this.#follow()
    if (this.#members.has(name)) return
    const delay = Math.floor(this.#options.random() * MAX_JOIN_DELAY_MS)
    this.#joining = clock.setTimer(() => {
      const joined = publish([{ kind: 'join', value: name, until: clock.now() }])
      void joined
        .catch(() => undefined)
        .finally(() => {
          this.#joining = undefined
        })
    }, delay)
  }

  /** Says that this node will not follow any longer. */
  async leave(): Promise<void> {
    const { clock, name, publish } = this.#options
    const joined = this.#members.has(name)
    this.stop()
    if (joined) await publish([{ kind: 'leave', value: name, until: clock.now() }])
  }

  /** Ends this part. */
  stop(): void {
    this.#stopped = true
    this.#joining?.cancel()
    neighbours.get(this.#options.feed)?.delete(this)
    for (const call of this.#calls) call.done()
  }

  /** Every node that is known to follow the log, but for this one. */
  #others(): string[] {
    return [...this.#members.keys()].filter((member) => member !== this.#options.name)
  }

  /**
   * Publishes by way of `publish`, with a call for word from every node, and waits for it for at most `timeoutMs`.
   * Rejects as `publish` does.
   */
  async call(
    publish: (call: NodeEntry) => Promise<Position>,
    timeoutMs: number,
  ): Promise<RollCall> {
    const { feed, name, clock } = this.#options
    const word: NodeEntry = { kind: 'call', value: name, until: clock.now() }
    if (feed.peek !== undefined) return this.#callHere(await publish(word))
    const started = clock.monotonic()
    let done = () => {}
    const finished = new Promise<void>((resolve) => {
      done = resolve
    })
    const call: Call = { seq: Number.POSITIVE_INFINITY, done }
    this.#calls.add(call)
    try {
      const position = await publish(word)
      call.seq = position.seq
      this.#check(call)
      const timer = clock.setTimer(done, Math.max(0, timeoutMs - (clock.monotonic() - started)))
      await finished
      timer.cancel()
      const pending = this.#pending(call)
      const applied = this.#others().filter((member) => !pending.includes(member))
      if (timeoutMs > this.#options.maxStalenessMs) this.#dismiss(pending)
      return { position, applied: [name, ...applied].sort(), pending: pending.sort() }
    } finally {
      this.#calls.delete(call)
    }
  }

  #pending({ seq }: Call): string[] {
    return this.#others().filter((member) => (this.#acked.get(member) ?? 0) < seq)
  }

  #check(call: Call): void {
    if (this.#pending(call).length === 0) call.done()
  }

  async #callHere(position: Position): Promise<RollCall> {
    // The first event of a log only makes the others look at it.
    await new Promise((resolve) => setImmediate(resolve))
    const here = [...(neighbours.get(this.#options.feed) ?? [])]
    const has = ({ replica }: NodesOptions) => replica.reached(position.epoch, position.seq)
    const names = (applied: boolean) =>
      here.flatMap((node) => (has(node.#options) === applied ? [node.#options.name] : [])).sort()
    return { position, applied: names(true), pending: names(false) }
  }

  #dismiss(names: readonly string[]): void {
    if (names.length === 0) return
    const { clock, publish } = this.#options
    const gone = names.map((value) => ({ kind: 'leave' as const, value, until: clock.now() }))
    void publish(gone).catch(() => undefined)
  }

  /** Whether no other node has said that it is compacting the log. */
  mayLead(): boolean {
    const { clock, name } = this.#options
    return (
      this.#lease === undefined || this.#lease.until <= clock.now() || this.#lease.holder === name
    )
  }

  /** Whether this node is the one that compacts the log. */
  leads(): boolean {
    return (
      this.#lease?.holder === this.#options.name && this.#lease.until > this.#options.clock.now()
    )
  }

  /** What has to be said of nodes by whoever cuts off where they said so themselves. */
  *entries(): Iterable<NodeEntry> {
    for (const [value, until] of this.#members) yield { kind: 'join', value, until }
  }
}
