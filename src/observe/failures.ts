/**
 * Why an adapter does not work: its last failure, for `health()`.
 *
 * @module
 */

import type { RevocationFeed } from '../feed/feed.js'
import type { ResolvedClock } from '../lib/clock.js'
import { type FailureReason, reasonOf } from '../lib/failure-reason.js'
import type { Store } from '../store/store.js'

/** A failure that lasts. */
export interface Failure {
  /** The kind of failure, for programs; see {@link FailureReason}. */
  readonly reason: FailureReason
  /** The message of the library or the adapter's client; at most 300 characters, no credentials. */
  readonly message: string
  /** Since when every such call has failed, in Unix milliseconds. */
  readonly since: number
}

/**
 * The operation of a call. Each fails independently: reads still work on a full disk, a replica, or without write
 * permission, and so may a write that needs no space.
 */
export type Operation =
  | 'read'
  | Extract<keyof Store, 'insertTokens' | 'succeed' | 'supersede' | 'revoke' | 'recordUsage'>
  | Extract<keyof Store, 'insertKey' | 'rewrapKey' | 'purge'>
  | Extract<keyof RevocationFeed, 'append' | 'touch'>

/** Runs a call to the store under a deadline. Default: a read. */
export type StoreCall = <T>(call: () => Promise<T>, operation?: Operation) => Promise<T>

// Caused by the connection rather than the operation: any response disproves them.
const OF_CONNECTION: ReadonlySet<FailureReason> = new Set(['unreachable', 'timeout'])

const MAX_LENGTH = 300
// More than is shown, since hiding credentials makes a text shorter. Bounded, since a server may repeat all that it was
// sent, and looking for credentials in it must not hold up the process.
const MAX_READ = 2000

/** The failure of one adapter, until it works again. */
export class Failures {
  readonly #clock: ResolvedClock
  readonly #failing = new Map<Operation, Failure>()

  constructor(clock: ResolvedClock) {
    this.#clock = clock
  }

  /** The failure of reads, or else the latest of writes; `undefined` while all work. */
  get last(): Failure | undefined {
    return this.#failing.get('read') ?? [...this.#failing.values()].at(-1)
  }

  /** Whether reads fail. */
  get isUnread(): boolean {
    return this.#failing.has('read')
  }

  /** Notes that a call failed. */
  note(error: unknown, operation: Operation = 'read'): void {
    const since = this.#failing.get(operation)?.since ?? this.#clock.reading()
    this.#failing.delete(operation)
    this.#failing.set(operation, { reason: reasonOf(error), message: textOf(error), since })
  }

  /** Notes that a call succeeded. */
  clear(operation: Operation = 'read'): void {
    if (this.#failing.size === 0) return
    this.#failing.delete(operation)
    for (const [other, { reason }] of this.#failing)
      if (OF_CONNECTION.has(reason)) this.#failing.delete(other)
  }

  /** Notes how a call ends. Returns its promise. */
  follow<T>(call: Promise<T>, operation: Operation): Promise<T> {
    call.then(
      () => this.clear(operation),
      (error: unknown) => this.note(error, operation),
    )
    return call
  }
}

// The cause is what says more than that the call failed.
function textOf(error: unknown): string {
  const texts: string[] = []
  for (let each = error, depth = 0; each instanceof Error && depth < 3; depth++) {
    // The error of a connection that was tried at several addresses has no text.
    const text =
      each.message === '' ? String((each as { code?: unknown }).code ?? '') : each.message
    if (text !== '') texts.push(text)
    each = each.cause
  }
  const text = withoutCredentials(texts.join(': ').slice(0, MAX_READ))
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text
}

// Clients put the address in a message, and some the password; Redis repeats the arguments of AUTH and HELLO where it
// does not know the command.
function withoutCredentials(text: string): string {
  return text
    .replace(/\/\/\S*@/g, '//')
    .replace(/,? with args beginning with:.*/s, '')
    .replace(NAMED, '$1$2…')
    .replace(/\b(bearer\s+)\S+/gi, '$1…')
    .replace(/\b([kv]\d\.(?:local|secret))[\w.-]+/g, '$1.…')
}

// As the last part of a name too, as in `PGPASSWORD` and `auth_token`; a value in quotes may have spaces.
const NAMED =
  /(pass(?:word|wd|phrase)?|pwd|secret|token|(?:access|api|secret)[_-]?key)(["'`]?\s{0,9}[=:]\s{0,9})("[^"]*"?|'[^']*'?|`[^`]*`?|\S+)/gi
