/**
 * Counts the decisions and revocations of one authority in memory, and times some of the checks.
 *
 * A counter of OpenTelemetry takes longer than a check: it hashes its attributes on each call. Counting here and
 * reporting the totals when metrics are collected costs a few nanoseconds.
 *
 * @module
 */
import { SYSTEM_CLOCK } from '../../lib/clock.js'
import type { RejectionCode } from '../../types.js'
import type { Labels, Observer } from '../probe.js'
import type { Bound } from './names.js'

type Outcome = 'ok' | RejectionCode

/** One of this many checks is timed, and the first one. */
export const TIMED_EVERY = 128

/** The decisions about tokens of one policy and audience. */
class Cell {
  accepted = 0
  readonly rejected = new Map<RejectionCode, number>()

  count(outcome: Outcome): void {
    if (outcome === 'ok') this.accepted++
    else this.rejected.set(outcome, (this.rejected.get(outcome) ?? 0) + 1)
  }

  *totals(): Iterable<readonly [outcome: Outcome, total: number]> {
    if (this.accepted > 0) yield ['ok', this.accepted]
    yield* this.rejected
  }
}

/** One total of decisions. */
export interface DecisionTotal {
  readonly outcome: Outcome
  /** Absent if the tokens were not authentic. */
  readonly labels: Labels | undefined
  readonly total: number
}

/** One total of restrictions. */
export interface RestrictionTotal {
  /** The action of the audit, such as `token.suspended`. */
  readonly action: string
  /** The kind of the target. */
  readonly target: string
  readonly total: number
}

/** Counts what one authority does. */
export class Tally implements Observer {
  readonly #policy: Bound
  readonly #audience: Bound
  readonly #onTimed: (seconds: number) => void
  readonly #unauthentic = new Cell()
  readonly #cells = new Map<string, Map<string, Cell>>()
  readonly #revocations = new Map<string, number>()
  readonly #restrictions = new Map<string, RestrictionTotal>()
  #untilTimed = 1
  // Most decisions are about tokens of the same policy and audience as the one before.
  #last: (Labels & { readonly cell: Cell }) | undefined

  constructor(policy: Bound, audience: Bound, onTimed: (seconds: number) => void) {
    this.#policy = policy
    this.#audience = audience
    this.#onTimed = onTimed
  }

  begin(): number {
    if (--this.#untilTimed > 0) return 0
    this.#untilTimed = TIMED_EVERY
    return SYSTEM_CLOCK.monotonic()
  }

  timed(began: number): void {
    const seconds = (SYSTEM_CLOCK.monotonic() - began) / 1000
    try {
      this.#onTimed(seconds)
    } catch {
      // `verify` does not throw if the meter does.
    }
  }

  decided(outcome: Outcome, token: Labels | undefined): void {
    const cell = token === undefined ? this.#unauthentic : this.#cellOfToken(token)
    cell.count(outcome)
  }

  #cellOfToken({ policy, audience }: Labels): Cell {
    const last = this.#last
    if (last !== undefined && last.policy === policy && last.audience === audience) return last.cell
    const cell = this.#cellOf(this.#policy(policy), this.#audience(audience))
    this.#last = { policy, audience, cell }
    return cell
  }

  #cellOf(policy: string, audience: string): Cell {
    const row = this.#cells.get(policy) ?? new Map<string, Cell>()
    const cell = row.get(audience) ?? new Cell()
    this.#cells.set(policy, row.set(audience, cell))
    return cell
  }

  revoked(kind: string): void {
    this.#revocations.set(kind, (this.#revocations.get(kind) ?? 0) + 1)
  }

  restricted(action: string, target: string): void {
    const key = `${action} ${target}`
    const total = (this.#restrictions.get(key)?.total ?? 0) + 1
    this.#restrictions.set(key, { action, target, total })
  }

  /** The totals of restrictions so far, by action and kind of the target. */
  get restrictions(): Iterable<RestrictionTotal> {
    return this.#restrictions.values()
  }

  /** The totals of decisions so far, without those that are 0. */
  *decisions(): Iterable<DecisionTotal> {
    for (const [outcome, total] of this.#unauthentic.totals())
      yield { outcome, labels: undefined, total }
    for (const [policy, row] of this.#cells) {
      for (const [audience, cell] of row) {
        for (const [outcome, total] of cell.totals())
          yield { outcome, labels: { policy, audience }, total }
      }
    }
  }

  /** The totals of revocations so far, by the kind of the target. */
  get revocations(): ReadonlyMap<string, number> {
    return this.#revocations
  }
}
