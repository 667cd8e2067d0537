/**
 * Counts the incidents of the revocation log and of the audit, and reports them at a limited rate.
 *
 * @module
 */
import type { ResolvedClock } from '../lib/clock.js'
import type { CountedIncident } from '../observe/incident-kind.js'

const REPORT_EVERY_MS = 10_000

interface Unreported {
  count: number
  /** When the next report may be made, on the monotonic clock. */
  quietUntil: number
}

/** The incidents of one authority. */
export class IncidentCounter {
  readonly #clock: ResolvedClock
  readonly #report: (kind: CountedIncident, count: number) => void
  readonly #counts = new Map<CountedIncident, number>()
  readonly #times = new Map<CountedIncident, number>()
  readonly #unreported = new Map<CountedIncident, Unreported>()

  /**
   * @param report - Called with the number of incidents since the last report of the kind, so a flood of incidents is
   * not a flood of reports.
   */
  constructor(clock: ResolvedClock, report: (kind: CountedIncident, count: number) => void) {
    this.#clock = clock
    this.#report = report
  }

  /** The number of incidents of each kind. */
  get counts(): ReadonlyMap<CountedIncident, number> {
    return this.#counts
  }

  /** When each kind was last detected, in Unix milliseconds. */
  get times(): ReadonlyMap<CountedIncident, number> {
    return this.#times
  }

  /** Counts incidents. */
  note(kind: CountedIncident, count: number): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count)
    this.#times.set(kind, this.#clock.reading())
    const known = this.#unreported.get(kind) ?? { count: 0, quietUntil: Number.NEGATIVE_INFINITY }
    known.count += count
    this.#unreported.set(kind, known)
    const now = this.#clock.monotonic()
    if (now < known.quietUntil) return
    known.quietUntil = now + REPORT_EVERY_MS
    // Reset before the listeners run, so incidents they cause are counted for the next report.
    const total = known.count
    known.count = 0
    this.#report(kind, total)
  }
}
