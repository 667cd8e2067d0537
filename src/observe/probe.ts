/**
 * What telemetry counts and times in an authority. Without an observer, a check only reads one field.
 *
 * @module
 */
import type { RejectionCode } from '../types.js'

/** The names of an authentic token that may label a metric. */
export interface Labels {
  readonly policy: string
  readonly audience: string
}

/** Called by an authority, synchronously. No method throws. */
export interface Observer {
  /** Called before a synchronous check. Returns the time in milliseconds if this check is timed, otherwise 0. */
  begin(): number
  /** Called after a check that is timed, with the time that `begin` returned. */
  timed(began: number): void
  /** Counts a decision; `token` is `undefined` if the token is not authentic. */
  decided(outcome: 'ok' | RejectionCode, token: Labels | undefined): void
  /** Counts a revocation by the kind of its target. */
  revoked(kind: string): void
  /** Counts a suspension, a restriction or its end by the action of the audit and the kind of its target. */
  restricted(action: string, kind: string): void
}

/** Holds the observer of an authority. */
export interface Probe {
  observer: Observer | undefined
}
