/**
 * The members of a fleet: each life of a node that follows the log, with its last sign.
 *
 * A life is one process's time on the log, named by its writer. A node that starts again is another life, and two
 * processes under one name are two. A life that said nothing for four renewals has ended.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'
import { quote } from '../../lib/quote.js'
import { warnOnce } from '../../lib/warn.js'

/** One life of a node. */
export interface Member {
  readonly life: string
  /** The name of the node. */
  readonly name: string
}

/** What the list of members needs. */
export interface MembersOptions {
  readonly clock: ResolvedClock
  /** The life of this process. */
  readonly life: string
  /** The shortest time between two renewals of one member, in milliseconds. */
  readonly renewMs: number
}

interface Known extends Member {
  /** When it gave its last sign, on the steady clock. */
  seenAt: number
  /** Whether another member said that it gave no word. */
  isGivenUp: boolean
}

/** Another member whose entry has not ended. */
export interface OtherMember extends Member {
  /** How long ago its last sign was, in milliseconds. */
  readonly lastSignMs: number
  /** Whether it is waited for no longer; it may still be alive, beyond a split of the log. */
  readonly isGivenUp: boolean
}

/** Bytes of a writer as text. */
const LIFE_LENGTH = 22
// Of a renewal's time: the whole log hears of at most one renewal in this time, however many members there are.
const RENEWAL_SHARE = 0.1
const RENEWALS_MISSED = 4
const MAX_MEMBERS = 4096

/** The life that is named by these bytes. */
export const lifeOf = (writer: Uint8Array): string => Buffer.from(writer).toString('base64url')

/** A member as an entry of the log names it. */
export const memberText = ({ life, name }: Member): string => life + name

/** The member that an entry of the log names. */
export function parseMember(text: string): Member {
  return { life: text.slice(0, LIFE_LENGTH), name: text.slice(LIFE_LENGTH) }
}

/**
 * Warns, once per process, of two running nodes with one name. A node that starts takes the others of its name for earlier
 * runs of its own that have ended, until they join again.
 */
export function warnOfNodeName(name: string): void {
  warnOnce(
    'WATCHWORD_NODE_NAME',
    `another running process has the node name ${quote(name)} as well: give each process a name of its own, or leave the option \`node\` out`,
  )
}

/** Every other life that is known. */
export class Members {
  readonly #options: MembersOptions
  readonly #others = new Map<string, Known>()
  // Whether a member ended without a good-bye of its own.
  #lostSome = false
  // Who was there before this node had read the log; `undefined` until it has.
  #elders: ReadonlySet<string> | undefined
  #hasElder = false

  constructor(options: MembersOptions) {
    this.#options = options
  }

  /** How long a member waits between two renewals, in milliseconds. */
  get renewMs(): number {
    const { renewMs } = this.#options
    return renewMs * Math.max(1, RENEWAL_SHARE * (this.#others.size + 1))
  }

  /** How long after its last sign a member has ended, in milliseconds. */
  get endMs(): number {
    return RENEWALS_MISSED * this.renewMs
  }

  /** Notes that a member said that it is there, this long ago. */
  joined({ life, name }: Member, ageMs: number): void {
    if (life === this.#options.life) return
    const seenAt = this.#options.clock.monotonic() - ageMs
    const known = this.#others.get(life)
    const lastSeenAt = Math.max(seenAt, known?.seenAt ?? seenAt)
    this.#others.set(life, { life, name, seenAt: lastSeenAt, isGivenUp: false })
    if (ageMs === 0) this.#heard(life)
    if (this.#others.size > MAX_MEMBERS) this.#dropOldest()
  }

  /** Notes a sign of a member that may be known. */
  signed(life: string): void {
    const known = this.#others.get(life)
    if (known !== undefined) known.seenAt = this.#options.clock.monotonic()
    this.#heard(life)
  }

  /** Notes that this node has read the log to its head: whoever is known by now was there before it. */
  arrived(): void {
    this.#elders ??= new Set(this.#others.keys())
  }

  #heard(life: string): void {
    if (this.#elders?.has(life) === true) this.#hasElder = true
  }

  /**
   * Whether a member that was there before this node is alive. It hears from the store of everything that the log has lost
   * since it started itself, and gives it back.
   */
  get hasElder(): boolean {
    return this.#hasElder
  }

  /** Notes that a member has left, by its own word or as another one takes it. */
  left(life: string, isOwnWord: boolean): void {
    if (!isOwnWord) this.#lostSome = true
    this.#others.delete(life)
  }

  /** Notes that another member gave one up: it is not waited for, and its entry ends as if it had fallen silent. */
  givenUp(life: string): void {
    const known = this.#others.get(life)
    if (known !== undefined) known.isGivenUp = true
  }

  /** Every other member whose entry has not ended. */
  others(): readonly OtherMember[] {
    const now = this.#options.clock.monotonic()
    const { endMs } = this
    const there: OtherMember[] = []
    for (const { life, name, seenAt, isGivenUp } of this.#others.values()) {
      const lastSignMs = now - seenAt
      if (lastSignMs < endMs) there.push({ life, name, lastSignMs, isGivenUp })
      else this.left(life, false)
    }
    return there
  }

  /** Whether no other member is known that could be alive. */
  get alone(): boolean {
    return this.#others.size === 0 || this.others().length === 0
  }

  /**
   * Whether there are other members, or were some that ended without a good-bye: one that was lost may live on beyond a
   * split of the log, for as long as that lasts.
   */
  get hadOthers(): boolean {
    return !this.alone || this.#lostSome
  }

  #dropOldest(): void {
    const oldest = [...this.#others.values()].reduce((a, b) => (b.seenAt < a.seenAt ? b : a))
    this.left(oldest.life, false)
  }
}
