/**
 * Why an adapter does not work: its last failure, for `health()`.
 *
 * @module
 */
import type { ResolvedClock } from '../clock.js'

/** A failure that lasts. */
export interface Failure {
  /** What went wrong, in the words of the library and of the adapter's client; at most 300 characters, no credentials. */
  readonly message: string
  /** Since when every call has failed, in Unix milliseconds. */
  readonly since: number
}

const MAX_LENGTH = 300

/** The failure of one adapter, until it works again. */
export class Failures {
  readonly #clock: ResolvedClock
  /** The failure; `undefined` while the adapter works. */
  last: Failure | undefined

  constructor(clock: ResolvedClock) {
    this.#clock = clock
  }

  /** Notes that a call failed. */
  note(error: unknown): void {
    this.last = { message: textOf(error), since: this.last?.since ?? this.#clock.reading() }
  }

  /** Notes that a call succeeded. */
  clear(): void {
    this.last = undefined
  }
}

// The cause is what tells missing rights from a full disk. Clients put the address in it, and some the password.
function textOf(error: unknown): string {
  const texts: string[] = []
  for (let each = error, depth = 0; each instanceof Error && depth < 3; depth++) {
    texts.push(each.message)
    each = each.cause
  }
  const text = texts.join(': ').replace(/\/\/[^\s/@]*@/g, '//')
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text
}
