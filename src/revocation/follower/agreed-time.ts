/**
 * Agreed time: the wall time that several parties vouch for. What cannot be undone is decided by it, and never by the
 * clock of one node alone.
 *
 * Where the store has a clock, that clock counts. Otherwise the log carries a time: each seal of a head vouches for one,
 * no later than the clock of its node and no later than the seals before it allow, with the steady clock of the node
 * for what has passed since. It may be late, for example after a downtime; it is early for no right node.
 *
 * @module
 */

import { sameBytes } from '../../feed/feed.js'
import type { KeyDuty } from '../../keys/rotation.js'
import { HOLD_MS, type ResolvedClock } from '../../lib/clock.js'
import { type Opened, vouchedIn } from '../log/seal.js'

/** What agreed time needs. */
export interface AgreedTimeOptions {
  readonly clock: ResolvedClock
  /** How far two clocks may differ, in milliseconds. */
  readonly maxSkewMs: number
  /** 16 bytes that name this node. */
  readonly writer: Uint8Array
  /** Asks the store for its time (Unix milliseconds); left out where it has no clock. */
  readonly storeTime: (() => Promise<number>) | undefined
  /** Called at each look that finds the clock of this node to be wrong, or that of another one. */
  readonly onDisagreement: () => void
}

// Between two looks a time server slews a clock by less than this.
const SLEW_MS = 1000
// So long is a clock that was wrong remembered.
const DISSENT_MS = 300_000

/** One node's view of it. Each `lead` is a wall time minus the steady time of the same moment. */
export class AgreedTime {
  readonly #options: AgreedTimeOptions
  #storeLead: number | undefined
  #logLead: number | undefined
  #ownLead: number | undefined
  #lastSeal: Pick<Opened, 'at' | 'writer'> | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #dissentAt = Number.NEGATIVE_INFINITY
  #agreedAt = Number.NEGATIVE_INFINITY
  #agreesSince = Number.POSITIVE_INFINITY

  constructor(options: AgreedTimeOptions) {
    this.#options = options
  }

  get #lead(): number {
    const { clock } = this.#options
    return clock.reading() - clock.monotonic()
  }

  get #agreedLead(): number | undefined {
    return this.#options.storeTime === undefined ? this.#logLead : this.#storeLead
  }

  /** How far the clock of this node is ahead of the agreed time, in milliseconds; `undefined`: no one vouches for any. */
  get ahead(): number | undefined {
    const agreed = this.#agreedLead
    return agreed === undefined ? undefined : Math.round(this.#lead - agreed)
  }

  /** Whether a clock is known to be wrong: that of this node, or of another one without the store to tell which. */
  get disagrees(): boolean {
    const { storeTime, maxSkewMs, clock } = this.#options
    const { ahead } = this
    if (ahead === undefined) return false
    // The time of the log may be late, so that being ahead of it proves nothing.
    if (ahead < -maxSkewMs || (storeTime !== undefined && ahead > maxSkewMs)) return true
    return storeTime === undefined && clock.monotonic() - this.#dissentAt < DISSENT_MS
  }

  /**
   * The time by which things may be dropped, before margins: no later than the agreed time and the clock of this node.
   * `undefined` while they are not known to agree, so that nothing may be dropped.
   */
  certain(): number | undefined {
    const agreed = this.#agreedLead
    if (agreed === undefined || this.disagrees) return undefined
    return Math.floor(Math.min(agreed, this.#lead) + this.#options.clock.monotonic())
  }

  /** What this node may do with the keys. */
  get keyDuty(): KeyDuty {
    const { storeTime, maxSkewMs } = this.#options
    const { ahead } = this
    if (ahead === undefined) return 'need'
    if (storeTime !== undefined && Math.abs(ahead) > maxSkewMs) return 'none'
    return this.disagrees || ahead > maxSkewMs ? 'need' : 'schedule'
  }

  /** The time to date seals with: of this node, unless the store has shown it to be wrong. */
  stamp(): number {
    const own = this.#options.clock.now()
    return Math.max(0, own - this.#errorOf(own))
  }

  /** What this node's clock says, where it judges by it, at a moment that a seal dates. */
  ownTimeOf(sealedAt: number): number {
    return sealedAt + this.#errorOf(this.#options.clock.judged())
  }

  #errorOf(own: number): number {
    const lead = this.#storeLead
    if (lead === undefined || Math.abs(this.#lead - lead) <= this.#options.maxSkewMs) return 0
    return Math.round(own - this.#options.clock.monotonic() - lead)
  }

  /** The time that a seal of this node vouches for. */
  vouched(): number {
    const agreed = this.#agreedLead ?? this.#logLead ?? this.#lead
    return Math.max(0, Math.floor(Math.min(agreed, this.#lead) + this.#options.clock.monotonic()))
  }

  /** Asks the store for its time, compares, and reports a disagreement. Answers as {@link certain}. Never rejects. */
  async look(): Promise<number | undefined> {
    await this.#askStore()
    this.#follow()
    if (this.disagrees) this.#options.onDisagreement()
    return this.certain()
  }

  async #askStore(): Promise<void> {
    const { storeTime, clock, maxSkewMs } = this.#options
    if (storeTime === undefined) return
    const asked = clock.monotonic()
    const time = await storeTime().catch(() => Number.NaN)
    const answered = clock.monotonic()
    if (Number.isFinite(time) && answered - asked < maxSkewMs / 2)
      this.#storeLead = time - (asked + answered) / 2
  }

  // The time of the log is as steady as this node's clock where no one corrects it: it is slewed along, and never leaps.
  #follow(): void {
    const lead = this.#lead
    const slew = lead - (this.#ownLead ?? lead)
    if (this.#logLead !== undefined && Math.abs(slew) <= SLEW_MS) this.#logLead += slew
    this.#ownLead = lead
  }

  /** There is no log yet: the time of its first seal is that of this node. */
  begin(): void {
    this.#logLead ??= this.#lead
  }

  /** Takes in an authentic seal of the head. */
  note(head: Opened): void {
    const { clock, maxSkewMs, writer } = this.#options
    const { at, writer: other } = head
    const last = this.#lastSeal
    const steady = clock.monotonic()
    // When an old seal was made is not known. One that was not there a moment ago was made since then.
    const isNew = last !== undefined && (last.at !== at || !sameBytes(last.writer, other))
    const isRecent = isNew && steady - this.#lookedAt <= maxSkewMs
    this.#lastSeal = { at, writer: other }
    this.#lookedAt = steady
    const lead = vouchedIn(head) - steady
    if (this.#logLead === undefined) this.#logLead = lead
    if (!isRecent || sameBytes(other, writer)) return
    if (lead < this.#logLead - maxSkewMs) this.#logLead = lead
    this.#weigh(at, steady)
  }

  // What two nodes have agreed on for an hour, in which neither was stepped, is believed against a log that is late.
  #weigh(at: number, steady: number): void {
    const own = this.#options.clock.reading()
    if (Math.abs(own - at) > this.#options.maxSkewMs) {
      this.#dissentAt = steady
      this.#agreesSince = Number.POSITIVE_INFINITY
      return
    }
    if (steady - this.#agreedAt > DISSENT_MS) this.#agreesSince = steady
    this.#agreesSince = Math.min(this.#agreesSince, steady)
    this.#agreedAt = steady
    if (steady - this.#agreesSince < HOLD_MS || this.#logLead === undefined) return
    this.#logLead = Math.max(this.#logLead, Math.min(own, at) - steady)
  }
}
