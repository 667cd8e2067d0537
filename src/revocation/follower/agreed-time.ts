/**
 * Agreed time: a wall time that several parties vouch for. It decides irreversible steps, never the clock of a single
 * node.
 *
 * A store with a clock provides the time. Otherwise the log carries one: each seal of a head vouches for a time that is
 * no later than its node's clock and no later than earlier seals plus the elapsed monotonic time allow. It may be late,
 * for example after a downtime, but it is never early for a node whose clock is right.
 *
 * @module
 */

import { sameBytes } from '../../feed/feed.js'
import type { KeyDuty } from '../../keys/rotation.js'
import { HOLD_MS, type ResolvedClock } from '../../lib/clock.js'
import { type Opened, vouchedIn } from '../log/seal.js'

/** Options of agreed time. */
export interface AgreedTimeOptions {
  readonly clock: ResolvedClock
  /** How far two clocks may differ, in milliseconds. */
  readonly maxSkewMs: number
  /** The 16-byte id of this node. */
  readonly writer: Uint8Array
  /** Reads the store's clock (Unix milliseconds); omitted if the store has no clock. */
  readonly storeTime: (() => Promise<number>) | undefined
  /** Called on each check that finds the clock of this node, or of another node, to be wrong. */
  readonly onDisagreement: () => void
}

// NTP slews a clock by less than this between two checks.
const SLEW_MS = 1000
// How long a wrong clock is remembered.
const DISSENT_MS = 300_000

/** One node's view of agreed time. Each `lead` is a wall time minus the monotonic time of the same moment. */
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

  /**
   * How far this node's clock is ahead of the agreed time, in milliseconds; `undefined` while there is no agreed time.
   */
  get ahead(): number | undefined {
    const agreed = this.#agreedLead
    // Adding 0 turns -0, which is no number to show, into 0.
    return agreed === undefined ? undefined : Math.round(this.#lead - agreed) + 0
  }

  /** Whether a clock is known to be wrong: this node's, or another node's if no store clock can decide between them. */
  get disagrees(): boolean {
    const { storeTime, maxSkewMs, clock } = this.#options
    const { ahead } = this
    if (ahead === undefined) return false
    // The time of the log may be late, so being ahead of it proves nothing.
    if (ahead < -maxSkewMs || (storeTime !== undefined && ahead > maxSkewMs)) return true
    return storeTime === undefined && clock.monotonic() - this.#dissentAt < DISSENT_MS
  }

  /**
   * The time by which entries may be dropped, before margins: no later than the agreed time and this node's clock.
   * `undefined` unless the two are known to agree; nothing may be dropped then.
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

  /** The time for dating seals: this node's clock, unless the store has shown it to be wrong. */
  stamp(): number {
    const own = this.#options.clock.now()
    return Math.max(0, own - this.#errorOf(own))
  }

  /** The reading of this node's clock, as used for decisions, at the moment that a seal dates. */
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

  /** Reads the store's clock, compares it and reports a disagreement. Resolves like {@link certain}. Never rejects. */
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
    const respondedAt = clock.monotonic()
    if (Number.isFinite(time) && respondedAt - asked < maxSkewMs / 2)
      this.#storeLead = time - (asked + respondedAt) / 2
  }

  // Without correction, the time of the log is as steady as this node's clock: it is slewed along and never jumps.
  #follow(): void {
    const lead = this.#lead
    const slew = lead - (this.#ownLead ?? lead)
    if (this.#logLead !== undefined && Math.abs(slew) <= SLEW_MS) this.#logLead += slew
    this.#ownLead = lead
  }

  /** Starts the time of a new log from this node's clock. */
  begin(): void {
    this.#logLead ??= this.#lead
  }

  /** Processes an authentic seal of the head. */
  note(head: Opened): void {
    const { clock, maxSkewMs, writer } = this.#options
    const { at, writer: other } = head
    const last = this.#lastSeal
    const steady = clock.monotonic()
    // The age of an old seal is unknown. A seal that did not exist a moment ago was made since then.
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

  // If two nodes have agreed for an hour without a clock step, their time overrides a log that is late.
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
