/**
 * The compaction lease: which node compacts the log, as announced in the log itself.
 *
 * @module
 */
import type { ResolvedClock } from '../../lib/clock.js'

const MAX_LEASE_MS = 10 * 60_000

/** One node's view of the lease. */
export class CompactionLease {
  readonly #clock: ResolvedClock
  readonly #me: string
  #lease: { readonly holder: string; readonly until: number } | undefined

  /** @param me - The name of this node in the log. */
  constructor(clock: ResolvedClock, me: string) {
    this.#clock = clock
    this.#me = me
  }

  /** Processes an announcement. */
  granted(holder: string, until: number): void {
    const now = this.#clock.now()
    // A node whose clock is ahead would prevent all others from compacting for that long.
    if (until > now + MAX_LEASE_MS) return
    if (this.#lease === undefined || this.#lease.until <= now || this.#lease.holder === holder)
      this.#lease = { holder, until }
  }

  /** Drops announcements of another epoch. */
  forget(): void {
    this.#lease = undefined
  }

  /** Whether no other node has announced that it is compacting the log. */
  mayLead(): boolean {
    return this.#lease === undefined || this.#lease.until <= this.#clock.now() || this.leads()
  }

  /** Whether this node is the one that compacts the log. */
  leads(): boolean {
    const { until, holder } = this.#lease ?? { until: 0, holder: '' }
    return holder === this.#me && until > this.#clock.now()
  }
}
