/**
 * Reports pending rows that the authority has not written, each once and in bounded memory: an attacker may insert and
 * delete such rows without end.
 *
 * @module
 */
import { Recent } from '../../lib/recent.js'
import { foundId } from './event.js'

const MAX_KNOWN = 10_000
// Each report is a row of the audit, and waits in the same memory as all others. Later runs report the rest.
const MAX_A_RUN = 100

/** The forged rows that one node has reported. */
export class ForgedRows {
  readonly #report: (id: string) => void
  readonly #known = new Recent<true>(MAX_KNOWN)
  #reported = 0

  constructor(report: (id: string) => void) {
    this.#report = report
  }

  /** Begins a run of the sequencer. */
  begin(): void {
    this.#reported = 0
  }

  /** Reports a row, unless that was done before or the run has reported enough. */
  note(written: string): void {
    const id = foundId(written)
    if (this.#reported >= MAX_A_RUN || this.#known.get(id) !== undefined) return
    this.#reported++
    this.#known.set(id, true)
    this.#report(id)
  }
}
