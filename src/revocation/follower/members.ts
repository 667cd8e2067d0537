/**
 * The members of a fleet: each instance of a node that follows the log, with its last sign of activity.
 *
 * An instance is one process's time on the log, identified by its writer id. A restarted node is a new instance, and
 * two processes under one name are two instances. An instance that is silent for four renewals has ended.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import { quote } from '../../lib/quote.js'
import { warnOnce } from '../../lib/warn.js'
import { NEVER, type TimeMark } from './freshness.js'

/** One instance of a node. */
export interface Member {
  readonly life: string
  /** The name of the node. */
  readonly name: string
}

/** Options of the member list. */
export interface MembersOptions {
  readonly clock: ResolvedClock
  /** The instance of this process. */
  readonly life: string
  /** The shortest time between two renewals of one member, in milliseconds. */
  readonly renewMs: number
}

interface Known extends Member {
  /** When its last sign was, on the monotonic clock. */
  seenAt: number
  /** The latest moment after which the member has certainly written to the log that this node reads. */
  signedSince: TimeMark
  /** Whether it has signed an event since this node last reached the head. */
  hasSigned: boolean
  /** Whether another member reported that it did not respond. */
  isGivenUp: boolean
}

/** Another member whose entry has not ended. */
export interface OtherMember extends Member {
  /** How long ago its last sign was, in milliseconds. */
  readonly lastSignMs: number
  /** Whether nodes have stopped waiting for it. It may still be running on the other side of a split. */
  readonly isGivenUp: boolean
}

/** Bytes of a writer as text. */
const LIFE_LENGTH = 22
// A fraction of the renewal interval: the log receives at most one renewal in this time, regardless of the number of
// members.
const RENEWAL_SHARE = 0.1
const RENEWALS_MISSED = 4
const MAX_MEMBERS = 4096

/** The instance with this writer id. */
export const lifeOf = (writer: Uint8Array): string => Buffer.from(writer).toString('base64url')

/** A member as named in the log. */
export const memberText = ({ life, name }: Member): string => life + name

/** The member named by a log entry. */
export function parseMember(text: string): Member {
  return { life: text.slice(0, LIFE_LENGTH), name: text.slice(LIFE_LENGTH) }
}

/**
 * Warns once per process about two running nodes with one name. A starting node treats others of its name as earlier
 * runs of itself that have ended, until they join again.
 */
export function warnOfNodeName(name: string): void {
  warnOnce(
    'WATCHWORD_NODE_NAME',
    `another running process also has the node name ${quote(name)}: give each process a unique name, or omit the option \`node\``,
  )
}

/** Every other known instance. */
export class Members {
  readonly #options: MembersOptions
  readonly #others = new Map<string, Known>()
  // Whether a member ended without sending `leave`.
  #lostSome = false
  // The members present before this node had read the log; `undefined` until it has.
  #elders: ReadonlySet<string> | undefined
  #hasElder = false

  constructor(options: MembersOptions) {
    this.#options = options
  }

  /** The interval between two renewals of a member, in milliseconds. */
  get renewMs(): number {
    const { renewMs } = this.#options
    return renewMs * Math.max(1, RENEWAL_SHARE * (this.#others.size + 1))
  }

  /** The time after the last sign at which a member has ended, in milliseconds. */
  get endMs(): number {
    return RENEWALS_MISSED * this.renewMs
  }

  /** Records a sign of a member, given this long ago. */
  joined({ life, name }: Member, ageMs: number): void {
    if (life === this.#options.life) return
    const seenAt = this.#options.clock.monotonic() - ageMs
    const known = this.#others.get(life)
    const lastSeenAt = Math.max(seenAt, known?.seenAt ?? seenAt)
    const { signedSince = NEVER, hasSigned = false } = known ?? {}
    const seen = { life, name, seenAt: lastSeenAt, isGivenUp: false }
    this.#others.set(life, { ...seen, signedSince, hasSigned })
    if (ageMs === 0) this.#heard(life)
    if (this.#others.size > MAX_MEMBERS) this.#dropOldest()
  }

  /** Records a sign of a member that may be known. */
  seen(life: string): void {
    const known = this.#others.get(life)
    if (known !== undefined) known.seenAt = this.#options.clock.monotonic()
    this.#heard(life)
  }

  /** Records that a member has signed an event after the head that this node reached last. */
  signed(life: string): void {
    this.seen(life)
    const known = this.#others.get(life)
    if (known !== undefined) known.hasSigned = true
  }

  /**
   * Processes the signs up to a head that this node has reached. None of them existed at the previous head. Signs in a
   * log that was not read to its head prove nothing, because older events may follow.
   *
   * @param since - When the previous head was requested; omitted if this one does not continue it.
   */
  settleSigns(since: TimeMark | undefined): void {
    for (const member of this.#others.values()) {
      if (member.hasSigned && since !== undefined) member.signedSince = since
      member.hasSigned = false
    }
  }

  /** The earliest of these moments over all other members. In a split, all of them were on this side until then. */
  get signedSince(): TimeMark {
    this.#endSilent()
    let earliest: TimeMark | undefined
    for (const { signedSince } of this.#others.values())
      if (earliest === undefined || signedSince[1] < earliest[1]) earliest = signedSince
    return earliest ?? NEVER
  }

  /** Records that this node has read the log to its head: all members known by now are older. */
  arrived(): void {
    this.#elders ??= new Set(this.#others.keys())
  }

  #heard(life: string): void {
    if (this.#elders?.has(life) === true) this.#hasElder = true
  }

  /**
   * Whether a member older than this node is running. Such a member reads from the store everything that the log has
   * lost since it started, and republishes it.
   */
  get hasElder(): boolean {
    return this.#hasElder
  }

  /** Records that a member has left, by its own entry or by another node's. */
  left(life: string, isOwnWord: boolean): void {
    if (!isOwnWord) this.#lostSome = true
    this.#others.delete(life)
  }

  /** Records that another member stopped waiting for one. Its entry ends as after a silence. */
  givenUp(life: string): void {
    const known = this.#others.get(life)
    if (known !== undefined) known.isGivenUp = true
  }

  /** Every other member whose entry has not ended. */
  others(): readonly OtherMember[] {
    this.#endSilent()
    const now = this.#options.clock.monotonic()
    return [...this.#others.values()].map(({ life, name, seenAt, isGivenUp }) => {
      return { life, name, lastSignMs: now - seenAt, isGivenUp }
    })
  }

  #endSilent(): void {
    const now = this.#options.clock.monotonic()
    const { endMs } = this
    for (const { life, seenAt } of this.#others.values())
      if (now - seenAt >= endMs) this.left(life, false)
  }

  /** Whether no other member may be running. */
  get alone(): boolean {
    this.#endSilent()
    return this.#others.size === 0
  }

  /** Whether a member ended without sending `leave`: it may keep running on the other side of a split. */
  get lostSome(): boolean {
    this.#endSilent()
    return this.#lostSome
  }

  #dropOldest(): void {
    const oldest = [...this.#others.values()].reduce((a, b) => (b.seenAt < a.seenAt ? b : a))
    this.left(oldest.life, false)
  }
}
