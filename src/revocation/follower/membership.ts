/**
 * The nodes of a fleet, as the log tells of them: who follows it, and who has applied what.
 *
 * A node joins when it is up to date, says so again from time to time, and leaves when it stops. One that is asked for
 * word, and gives none for longer than anything may be stale, is not waited for any more until it joins again; whether it
 * is alive is still not known.
 *
 * @module
 */

import { type Position, type RevocationFeed, sameBytes } from '../../feed/feed.js'
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import type { FeedEntry, NodeEntry } from '../log/event.js'
import type { Opened } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'
import { isEnded } from './local-life.js'
import { lifeOf, type Member, Members, memberText, parseMember, warnOfNodeName } from './members.js'
import type { Replica } from './replica.js'

/** Which nodes have applied an event, by name, and which ones have not said so. */
export interface RollCall {
  readonly position: Position
  readonly applied: readonly string[]
  readonly pending: readonly string[]
}

/** What this part needs. */
export interface MembershipOptions {
  readonly name: string
  readonly feed: RevocationFeed
  readonly replica: Replica
  readonly clock: ResolvedClock
  readonly time: AgreedTime
  readonly writer: Uint8Array
  readonly maxStalenessMs: number
  /** The shortest time between two renewals of a member's entry, in milliseconds. Default: 30 seconds. */
  readonly renewMs?: number
  readonly append: (entries: readonly FeedEntry[]) => Promise<Position>
  /** A number in [0, 1). */
  readonly random: () => number
}

/** A call that is older than this is answered by no node: its caller has stopped waiting. */
const MAX_CALL_AGE_MS = 60_000
const MAX_JOIN_DELAY_MS = 100
const MAX_LEASE_MS = 10 * 60_000
const RENEW_MS = 30_000
// In the place of the time at which a node left: it did not say so itself, and may be alive.
const GIVEN_UP = 0

interface Call {
  /** Where its event stands; until that is known, no node can have acknowledged it. */
  seq: number
  readonly done: () => void
}

// Authorities on one feed object of one process hear of an event before the append resolves: there is no node to ask.
const neighbours = new WeakMap<RevocationFeed, Set<Membership>>()

/** One node's list of all nodes. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #me: Member
  /** The other members. */
  readonly members: Members
  /** The highest `seq` that each life has said it has applied. */
  readonly #acked = new Map<string, number>()
  readonly #calls = new Set<Call>()
  #lease: { readonly holder: string; readonly until: number } | undefined
  // Up to where the log was read, which tells what is said now from what was said long ago.
  #reached: { readonly epoch: string; readonly seq: number } | undefined
  #epoch = ''
  #isMember = false
  #joining: Promise<void> | undefined
  #timer: Timer | undefined
  #hasJoined = false
  #stopped = false

  constructor(options: MembershipOptions) {
    const { feed, name, writer, clock, renewMs = RENEW_MS } = options
    this.#options = options
    this.#me = { life: lifeOf(writer), name }
    this.members = new Members({ clock, life: this.#me.life, renewMs })
    if (feed.peek === undefined) return
    const here = neighbours.get(feed) ?? new Set()
    neighbours.set(feed, here.add(this))
  }

  /** Takes in a seal of any node: a sign that it is alive, if it was made just now. */
  sign({ writer, epoch, seq }: Opened): void {
    if (this.#isNew(epoch, seq)) this.members.signed(lifeOf(writer))
  }

  #isNew(epoch: string, seq: number): boolean {
    return this.#reached?.epoch === epoch && seq > this.#reached.seq
  }

  /** Takes in what a node said in an event. */
  hear({ kind, value, until }: NodeEntry, event: Opened): void {
    this.#follow()
    if (kind === 'join') this.#joined(parseMember(value), until, event)
    else if (kind === 'leave') this.#left(parseMember(value), until === GIVEN_UP, event)
    else if (kind === 'ack') this.#acknowledged(parseMember(value).life, until)
    else if (kind === 'lease') this.#leased(value, until)
    else if (kind === 'call') this.#called(event)
  }

  // In another epoch of the log every node says again that it is there.
  #follow(): void {
    const { epoch } = this.#options.replica.position
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#unlisted()
    this.#acked.clear()
    this.#lease = undefined
  }

  // What another node repeats of a member, and what was said before this node was there, is as old as it says.
  #joined(member: Member, at: number, { writer, epoch, seq }: Opened): void {
    const { clock } = this.#options
    const isOwnWord = lifeOf(writer) === member.life
    const isNow = isOwnWord && this.#isNew(epoch, seq)
    if (member.life === this.#me.life) this.#isMember = true
    else this.members.joined(member, isNow ? 0 : Math.max(0, clock.judged() - at))
    if (isNow && member.life !== this.#me.life && member.name === this.#me.name)
      warnOfNodeName(member.name)
    // Whoever joins has read the log up to there.
    if (isOwnWord) this.#acknowledged(member.life, seq - 1)
  }

  #left({ life }: Member, isGivenUp: boolean, { writer }: Opened): void {
    if (life === this.#me.life) this.#unlisted()
    else if (isGivenUp) this.members.givenUp(life)
    else this.members.left(life, lifeOf(writer) === life)
    this.#acked.delete(life)
    for (const call of this.#calls) this.#check(call)
  }

  // It says again that it is there as soon as it is up to date, and not only when that is due.
  #unlisted(): void {
    this.#isMember = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #acknowledged(life: string, seq: number): void {
    this.#acked.set(life, Math.max(seq, this.#acked.get(life) ?? 0))
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
    const { clock, append } = this.#options
    if (this.#stopped || sameBytes(writer, this.#options.writer)) return
    if (!this.#isMember || Math.abs(clock.now() - at) > MAX_CALL_AGE_MS) return
    // Only once the event is applied to its end, which is after this.
    queueMicrotask(() => {
      void append([{ kind: 'ack', value: memberText(this.#me), until: seq }]).catch(() => undefined)
    })
  }

  /** This node is up to date: says so to the others, if they do not know yet. */
  live(): void {
    this.#arrive()
    if (this.#options.feed.peek !== undefined || this.#stopped) return
    if (this.#isMember || this.#joining !== undefined || this.#timer !== undefined) return
    this.#after(this.#options.random() * MAX_JOIN_DELAY_MS)
  }

  #arrive(): void {
    this.#follow()
    const { epoch, seq } = this.#options.replica.position
    const known = this.#reached?.epoch === epoch ? this.#reached.seq : 0
    this.#reached = { epoch, seq: Math.max(seq, known) }
    this.members.arrived()
  }

  /** Says that this node is there, and goes on doing so. Resolves when the log has it, or could not be told. */
  hello(): Promise<void> {
    if (this.#options.feed.peek !== undefined || this.#stopped) return Promise.resolve()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#joining ??= this.#join().finally(() => {
      this.#joining = undefined
      const { renewMs } = this.members
      if (this.#isMember) this.#after(renewMs * (0.75 + this.#options.random() / 2))
    })
    return this.#joining
  }

  async #join(): Promise<void> {
    const { append, time } = this.#options
    const until = time.stamp()
    const entries: NodeEntry[] = this.#hasJoined ? [] : this.#departed(until)
    this.#hasJoined = true
    entries.push({ kind: 'join', value: memberText(this.#me), until })
    await append(entries).catch(() => undefined)
  }

  // Lives of this very node, as far as it can tell, that ended without a good-bye. One that is alive after all joins again.
  #departed(until: number): NodeEntry[] {
    return this.members
      .others()
      .filter(({ name }) => name === this.#me.name || isEnded(name))
      .map((member) => ({ kind: 'leave', value: memberText(member), until }))
  }

  #after(delayMs: number): void {
    if (this.#stopped) return
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined
      void this.hello()
    }, delayMs)
  }

  /** Says that this node does not follow any longer, if it has said, or is saying, that it does. */
  async leave(): Promise<void> {
    const { time, append } = this.#options
    const hasJoined = this.#hasJoined
    this.stop()
    await this.#joining
    if (hasJoined)
      await append([{ kind: 'leave', value: memberText(this.#me), until: time.stamp() }])
  }

  /** Ends this part. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    neighbours.get(this.#options.feed)?.delete(this)
    for (const call of this.#calls) call.done()
  }

  /**
   * Publishes by way of `publish`, with a call for word from every node, and waits for it for at most `timeoutMs`.
   * Rejects as `publish` does.
   */
  async call(
    publish: (call: NodeEntry) => Promise<Position>,
    timeoutMs: number,
  ): Promise<RollCall> {
    const { feed, name, clock, time } = this.#options
    const word: NodeEntry = { kind: 'call', value: memberText(this.#me), until: time.stamp() }
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
      const others = this.#awaited()
      const pending = this.#pending(call)
      const applied = others.filter((member) => !pending.includes(member.life))
      const silent = others.filter((member) => pending.includes(member.life))
      if (timeoutMs > this.#options.maxStalenessMs) this.#dismiss(silent)
      return { position, applied: [name, ...namesOf(applied)].sort(), pending: namesOf(silent) }
    } finally {
      this.#calls.delete(call)
    }
  }

  #pending({ seq }: Call): string[] {
    return this.#awaited().flatMap(({ life }) => ((this.#acked.get(life) ?? 0) < seq ? [life] : []))
  }

  #awaited(): readonly Member[] {
    return this.members.others().filter(({ isGivenUp }) => !isGivenUp)
  }

  #check(call: Call): void {
    if (this.#pending(call).length === 0) call.done()
  }

  async #callHere(position: Position): Promise<RollCall> {
    // The first event of a log only makes the others look at it.
    await new Promise((resolve) => setImmediate(resolve))
    const here = [...(neighbours.get(this.#options.feed) ?? [])]
    const has = ({ replica }: MembershipOptions) => replica.reached(position.epoch, position.seq)
    const names = (applied: boolean) =>
      here.flatMap((node) => (has(node.#options) === applied ? [node.#options.name] : [])).sort()
    return { position, applied: names(true), pending: names(false) }
  }

  #dismiss(members: readonly Member[]): void {
    if (members.length === 0) return
    const gone = members.map((member) => ({
      kind: 'leave' as const,
      value: memberText(member),
      until: GIVEN_UP,
    }))
    void this.#options.append(gone).catch(() => undefined)
  }

  /** Whether no other node has said that it is compacting the log. */
  mayLead(): boolean {
    const now = this.#options.clock.now()
    return this.#lease === undefined || this.#lease.until <= now || this.leads()
  }

  /** Whether this node is the one that compacts the log. */
  leads(): boolean {
    const { until, holder } = this.#lease ?? { until: 0, holder: '' }
    return holder === memberText(this.#me) && until > this.#options.clock.now()
  }

  /** How this node names itself in the log. */
  get text(): string {
    return memberText(this.#me)
  }

  /** What has to be said of nodes by a node that cuts off where they said so themselves. */
  *entries(): Iterable<NodeEntry> {
    const now = this.#options.time.stamp()
    if (this.#isMember) yield { kind: 'join', value: this.text, until: now }
    for (const member of this.members.others()) {
      const until = Math.max(0, Math.floor(now - member.lastSignMs))
      const value = memberText(member)
      yield { kind: 'join', value, until }
      if (member.isGivenUp) yield { kind: 'leave', value, until: GIVEN_UP }
    }
  }
}

function namesOf(members: readonly Member[]): string[] {
  return members.map(({ name }) => name).sort()
}
