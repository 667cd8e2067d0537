/**
 * The nodes of a fleet as recorded in the log: which nodes follow it, and which have applied an event.
 *
 * A node joins when it is up to date, renews its entry periodically and leaves when it stops. A node that does not
 * confirm within the maximum staleness is not waited for until it joins again; it may still be running.
 *
 * @module
 */

import { type Position, type RevocationFeed, sameBytes } from '../../feed/feed.js'
import type { ResolvedClock, Timer } from '../../lib/clock.js'
import type { FeedEntry, NodeEntry } from '../index/entries.js'
import type { RollCall } from '../log/revocation-log.js'
import type { Opened } from '../log/seal.js'
import type { AgreedTime } from './agreed-time.js'
import { CompactionLease } from './compaction-lease.js'
import { isEnded } from './local-life.js'
import { lifeOf, type Member, Members, memberText, parseMember, warnOfNodeName } from './members.js'
import type { Replica } from './replica.js'
import { GIVEN_UP, RollCalls } from './roll-call.js'

/** Options of the membership. */
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

/** Nodes do not respond to older calls, whose callers have stopped waiting. */
const MAX_CALL_AGE_MS = 60_000
const MAX_JOIN_DELAY_MS = 100
const RENEW_MS = 30_000
// Replaces the time of a `call`: any sign of a node suffices, including a very recent one.
const ANY_SIGN = 0
// Fractions of a lease: the age at which a sign is requested or given, and the interval over which signs are spread.
const SEEK_SHARE = 0.25
const SIGN_SHARE = 0.15
const SPREAD_SHARE = 0.1

/** One node's list of all nodes. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #me: Member
  /** The other members. */
  readonly members: Members
  /** Which of them have applied what. */
  readonly #rollCalls: RollCalls
  /** Which node compacts the log. */
  readonly compaction: CompactionLease
  // The position up to which the log was read. It separates current entries from old ones.
  #reached: { readonly epoch: string; readonly seq: number } | undefined
  #epoch = ''
  #isMember = false
  #joining: Promise<void> | undefined
  #timer: Timer | undefined
  #hasJoined = false
  #stopped = false
  // On the monotonic clock: when this node last wrote to the log, and when a node last requested signs.
  #signedAt = Number.NEGATIVE_INFINITY
  #soughtAt = Number.NEGATIVE_INFINITY

  constructor(options: MembershipOptions) {
    const { name, writer, clock, renewMs = RENEW_MS } = options
    this.#options = options
    this.#me = { life: lifeOf(writer), name }
    this.members = new Members({ clock, life: this.#me.life, renewMs })
    this.compaction = new CompactionLease(clock, this.text)
    const { members } = this
    this.#rollCalls = new RollCalls({ ...options, me: this.#me, members })
  }

  /** Processes the seal of an event of any node: a recent seal is a sign of activity. */
  sign({ writer, epoch, seq }: Opened): void {
    if (this.#isNew(epoch, seq)) this.members.signed(lifeOf(writer))
  }

  /** Records that the log accepted an event of this node. */
  signed(): void {
    this.#signedAt = this.#options.clock.monotonic()
  }

  /** Requests a sign from the other nodes, unless each has given one recently or was asked for one. Never rejects. */
  seekSigns(): void {
    const { clock, maxStalenessMs, append, feed } = this.#options
    const before = clock.monotonic() - maxStalenessMs * SEEK_SHARE
    if (this.#stopped || feed.peek !== undefined || this.members.alone) return
    if (this.#soughtAt > before || this.members.signedSince[1] > before) return
    this.#soughtAt = clock.monotonic()
    void append([{ kind: 'call', value: memberText(this.#me), until: ANY_SIGN }]).catch(
      () => undefined,
    )
  }

  // The signs are spread over time, because a log accepts one writer at a time.
  #giveSign(): void {
    const { clock, maxStalenessMs, random } = this.#options
    this.#soughtAt = clock.monotonic()
    if (this.#signedAt > this.#soughtAt - maxStalenessMs * SIGN_SHARE) return
    this.#timer?.cancel()
    this.#after(random() * maxStalenessMs * SPREAD_SHARE)
  }

  #isNew(epoch: string, seq: number): boolean {
    return this.#reached?.epoch === epoch && seq > this.#reached.seq
  }

  /** Processes an entry that a node published about itself. */
  hear({ kind, value, until }: NodeEntry, event: Opened): void {
    this.#follow()
    if (kind === 'join') this.#joined(parseMember(value), until, event)
    else if (kind === 'leave') this.#left(parseMember(value), until === GIVEN_UP, event)
    else if (kind === 'ack') this.#rollCalls.acknowledged(parseMember(value).life, until)
    else if (kind === 'lease') this.compaction.granted(value, until)
    else if (kind === 'call') this.#called(event, until)
  }

  // In another epoch every node announces itself again.
  #follow(): void {
    const { epoch } = this.#options.replica.position
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#unlisted()
    this.#rollCalls.forget()
    this.compaction.forget()
  }

  // Entries repeated by another node, or older than this node, count from their own date.
  #joined(member: Member, at: number, { writer, epoch, seq }: Opened): void {
    const { clock } = this.#options
    const isOwnWord = lifeOf(writer) === member.life
    const isNow = isOwnWord && this.#isNew(epoch, seq)
    if (member.life === this.#me.life) this.#isMember = true
    else this.members.joined(member, isNow ? 0 : Math.max(0, clock.judged() - at))
    if (isNow && member.life !== this.#me.life && member.name === this.#me.name)
      warnOfNodeName(member.name)
    // A joining node has read the log up to this event.
    if (isOwnWord) this.#rollCalls.acknowledged(member.life, seq - 1)
  }

  #left({ life }: Member, isGivenUp: boolean, { writer }: Opened): void {
    if (life === this.#me.life) this.#unlisted()
    else if (isGivenUp) this.members.givenUp(life)
    else this.members.left(life, lifeOf(writer) === life)
    this.#rollCalls.left(life)
  }

  // Announces the node as soon as it is up to date, not only when a renewal is due.
  #unlisted(): void {
    this.#isMember = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #called({ writer, seq, at }: Opened, until: number): void {
    const { clock, append } = this.#options
    if (this.#stopped || sameBytes(writer, this.#options.writer)) return
    if (!this.#isMember || Math.abs(clock.now() - at) > MAX_CALL_AGE_MS) return
    // Runs after this call, when the event is completely applied.
    queueMicrotask(() => {
      if (until === ANY_SIGN) this.#giveSign()
      else
        void append([{ kind: 'ack', value: memberText(this.#me), until: seq }]).catch(
          () => undefined,
        )
    })
  }

  /** Announces that this node is up to date, unless the others already know. */
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

  /** Announces this node and keeps renewing the entry. Resolves when the log has it, or when the append fails. */
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

  // Earlier instances of this node that ended without `leave`. One that is still running joins again.
  #departed(until: number): NodeEntry[] {
    return this.members
      .others()
      .filter(({ name }) => name === this.#me.name || isEnded(name))
      .map((member) => ({ kind: 'leave', value: memberText(member), until }))
  }

  #after(delayMs: number): void {
    if (this.#stopped) return
    // A request for a sign may have set one while the renewal before it was in flight. Two would renew forever.
    this.#timer?.cancel()
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined
      void this.hello()
    }, delayMs)
  }

  /** Announces that this node stops following, if it has announced itself or is doing so. */
  async leave(): Promise<void> {
    const { time, append } = this.#options
    const hasJoined = this.#hasJoined
    this.stop()
    await this.#joining
    if (hasJoined)
      await append([{ kind: 'leave', value: memberText(this.#me), until: time.stamp() }])
  }

  /** Stops this part. */
  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#rollCalls.stop()
  }

  /**
   * Publishes through `publish` with a call for acknowledgements, and waits for them for at most `timeoutMs`. Rejects
   * like `publish`.
   */
  call(publish: (call: NodeEntry) => Promise<Position>, timeoutMs: number): Promise<RollCall> {
    return this.#rollCalls.call(publish, timeoutMs)
  }

  /** The instance of this process. */
  get life(): string {
    return this.#me.life
  }

  /** The name of this node in the log. */
  get text(): string {
    return memberText(this.#me)
  }

  /** The entries about nodes that must be repeated when a trim removes the originals. */
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
