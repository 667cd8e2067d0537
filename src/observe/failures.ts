/**
 * The last failure of an adapter, for `health()`.
 *
 * @module
 */

import type { RevocationFeed } from '../feed/feed.js'
import type { ResolvedClock } from '../lib/clock.js'
import { type FailureReason, reasonOf } from '../lib/failure-reason.js'
import { shortMessage } from '../lib/failure-text.js'
import { fieldOf, isError } from '../lib/foreign-value.js'
import type { Store } from '../store/store.js'

/** A persistent failure. */
export interface Failure {
  /** The kind of failure, for programs; see {@link FailureReason}. */
  readonly reason: FailureReason
  /** The message of the library or the adapter's client; at most 300 characters, no credentials. */
  readonly message: string
  /** When such calls started to fail, in Unix milliseconds. */
  readonly since: number
}

/**
 * The operation of a call. Each operation fails independently: reads still work on a full disk, on a replica, or
 * without write permission, and a write that needs no space may work as well.
 */
export type Operation =
  | 'read'
  | Extract<keyof Store, 'insertTokens' | 'succeed' | 'supersede' | 'revoke' | 'recordUsage'>
  | Extract<keyof Store, 'insertKey' | 'rewrapKey' | 'purge' | 'updateDetails' | 'audit' | 'usage'>
  | 'restrict'
  | Extract<keyof RevocationFeed, 'append' | 'touch'>

/** Runs a call to the store under a deadline. Default: a read. */
export type StoreCall = <T>(call: () => Promise<T>, operation?: Operation) => Promise<T>

// Caused by the connection and not the operation: any successful response clears them.
const OF_CONNECTION: ReadonlySet<FailureReason> = new Set(['unreachable', 'timeout'])

const MAX_LENGTH = 300
// Longer than the displayed text, because hiding credentials shortens it. Bounded, because a server may repeat
// everything it was sent, and searching that for credentials must not block the process.
const MAX_READ = 2000

/** The current failure of one adapter. */
export class Failures {
  readonly #clock: ResolvedClock
  readonly #failing = new Map<Operation, Failure>()

  constructor(clock: ResolvedClock) {
    this.#clock = clock
  }

  /** The failure of reads, otherwise the latest failure of writes; `undefined` if all operations work. */
  get last(): Failure | undefined {
    return this.#failing.get('read') ?? [...this.#failing.values()].at(-1)
  }

  /** Whether reads fail. */
  get isUnread(): boolean {
    return this.#failing.has('read')
  }

  /** Records that a call failed. */
  note(error: unknown, operation: Operation = 'read'): void {
    const since = this.#failing.get(operation)?.since ?? this.#clock.reading()
    this.#failing.delete(operation)
    this.#failing.set(operation, { reason: reasonOf(error), message: textOf(error), since })
  }

  /** Records that a call succeeded. */
  clear(operation: Operation = 'read'): void {
    if (this.#failing.size === 0) return
    this.#failing.delete(operation)
    for (const [other, { reason }] of this.#failing)
      if (OF_CONNECTION.has(reason)) this.#failing.delete(other)
  }

  /** Records the outcome of a call. Returns its promise. */
  follow<T>(call: Promise<T>, operation: Operation): Promise<T> {
    call.then(
      () => this.clear(operation),
      (error: unknown) => this.note(error, operation),
    )
    return call
  }
}

// The cause is more specific than the library's own error.
function textOf(error: unknown): string {
  const texts: string[] = []
  for (let each = error, depth = 0; isError(each) && depth < 3; depth++) {
    // The error for a connection that was tried at several addresses has no message.
    const message = shortMessage(each)
    const text = message === '' ? codeTextOf(each) : message
    if (text !== '') texts.push(text)
    each = fieldOf(each, 'cause')
  }
  const text = withoutCredentials(texts.join(': ').slice(0, MAX_READ))
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text
}

function codeTextOf(error: Error): string {
  const code = fieldOf(error, 'code')
  return typeof code === 'string' || typeof code === 'number' ? String(code) : ''
}

// Some clients include the address in a message, and some the password. Redis repeats the arguments of AUTH and HELLO
// if it does not know the command.
function withoutCredentials(text: string): string {
  return text
    .replace(/\/\/\S*@/g, '//')
    .replace(/,? with args beginning with:.*/s, '')
    .replace(NAMED, '$1$2…')
    .replace(/\b(bearer\s+)\S+/gi, '$1…')
    .replace(/\b([kv]\d\.(?:local|secret))[\w.-]+/g, '$1.…')
}

// Also matches names that end in one, such as `PGPASSWORD` and `auth_token`. A quoted value may contain spaces.
const NAMED =
  /(pass(?:word|wd|phrase)?|pwd|secret|token|(?:access|api|secret)[_-]?key)(["'`]?\s{0,9}[=:]\s{0,9})("[^"]*"?|'[^']*'?|`[^`]*`?|\S+)/gi
