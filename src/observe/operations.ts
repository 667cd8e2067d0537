/**
 * Tracing channels of the operations that may do I/O: `issue`, `rotate`, `revoke` and `authenticate`.
 *
 * A message is created only if the channel has subscribers. No message contains a token, a key, a subject or a custom
 * claim, except that the `cause` of an `error` is the error of a driver, which may quote a row.
 *
 * @module
 */
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { RejectionCode } from '../types.js'

/** One call of an operation: the message of its tracing channel. */
export interface Operation {
  /** The issuer of the authority. */
  readonly issuer: string
  /** The node of the authority. */
  readonly node: string
  /** The result, once the call has ended without an error. */
  readonly result: OperationResult | undefined
  /**
   * The error, once the call has failed: in most cases a `WatchwordError`. Its `cause` may be the error of a driver that
   * quotes a row: do not export it.
   */
  readonly error: unknown
}

/** The result of an operation, without secrets. */
export interface OperationResult {
  /** For `authenticate`: `ok`, or why the token was rejected. */
  readonly outcome?: 'ok' | RejectionCode
  /** The id of the token; for `rotate`, of the successor. Absent if the token is not authentic. */
  readonly id?: string
  /** The id of the first token of the family. */
  readonly family?: string
  /** 0 for the first token of its family, incremented by each rotation. */
  readonly generation?: number
  /** The policy of the token. */
  readonly policy?: string
  /** The audience of the token. */
  readonly audience?: string
  /** For `issueMany`: the number of issued tokens. For `revoke`: the number of live tokens covered. */
  readonly count?: number
  /** For `revoke`: the kind of the target. */
  readonly target?: string
}

/** The operations that have a tracing channel. */
export type OperationName =
  /** `issue` and `issueMany`. */
  | 'issue'
  /** `rotate`. */
  | 'rotate'
  /** `revoke` and `keys.revoke`. */
  | 'revoke'
  /** `authenticate`, and each check by a guard. */
  | 'authenticate'

/** The tracing channels `watchword:issue`, `watchword:rotate`, `watchword:revoke` and `watchword:authenticate`. */
export const operations: Readonly<Record<OperationName, TracingChannel<unknown, Operation>>> = {
  issue: tracingChannel<unknown, Operation>('watchword:issue'),
  rotate: tracingChannel<unknown, Operation>('watchword:rotate'),
  revoke: tracingChannel<unknown, Operation>('watchword:revoke'),
  authenticate: tracingChannel<unknown, Operation>('watchword:authenticate'),
}

/**
 * Whether an operation has subscribers to any of its events. Like `TracingChannel.hasSubscribers`, which Bun does not
 * have.
 */
export function isTraced(name: OperationName): boolean {
  const { start, end, asyncStart, asyncEnd, error } = operations[name]
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}

/** The authority whose operations are traced. */
export interface OperationSource {
  readonly options: { readonly issuer: string; readonly node: string }
  /** The messages of this authority, so that a subscriber can ignore those of another one. */
  readonly messages: WeakSet<object>
}

/**
 * Runs an operation, and publishes its events if the channel has subscribers: `start` and `end`, and for a promise
 * `asyncStart` and `asyncEnd`, as `TracingChannel.tracePromise` does. That method is not used, because it publishes the
 * returned value, which holds a token or claims.
 */
export function traced<T>(
  name: OperationName,
  source: OperationSource,
  run: () => T,
  describe: (value: Awaited<T>) => OperationResult,
): T {
  const channel = operations[name]
  if (!isTraced(name)) return run()
  const { issuer, node } = source.options
  const call: Call<Awaited<T>> = {
    channel,
    message: { issuer, node, result: undefined, error: undefined },
    describe,
  }
  source.messages.add(call.message)
  return channel.start.runStores(call.message, () => publishing(call, run))
}

interface Call<Value> {
  readonly channel: TracingChannel<unknown, Operation>
  readonly message: { -readonly [Field in keyof Operation]: Operation[Field] }
  readonly describe: (value: Value) => OperationResult
}

function publishing<T>(call: Call<Awaited<T>>, run: () => T): T {
  const { channel, message, describe } = call
  try {
    const value = run()
    if (value instanceof Promise) return awaited(call, value) as T
    set(message, 'result', () => Object.freeze(describe(value as Awaited<T>)))
    return value
  } catch (error) {
    fail(call, error)
    throw error
  } finally {
    channel.end.publish(message)
  }
}

function awaited<Value>(call: Call<Value>, promise: Promise<Value>): Promise<Value> {
  const { channel, message, describe } = call
  const resume = () => {
    channel.asyncStart.publish(message)
    channel.asyncEnd.publish(message)
  }
  return promise.then(
    (value) => {
      set(message, 'result', () => Object.freeze(describe(value)))
      resume()
      return value
    },
    (error: unknown) => {
      fail(call, error)
      resume()
      throw error
    },
  )
}

function fail<Value>({ channel, message }: Call<Value>, error: unknown): void {
  set(message, 'error', () => error)
  channel.error.publish(message)
}

// A subscriber may have frozen the message, which must not turn a completed operation into a failed one.
function set<Field extends 'result' | 'error'>(
  message: Call<never>['message'],
  field: Field,
  read: () => Operation[Field],
): void {
  try {
    message[field] = read()
  } catch {
    // The subscriber does without.
  }
}
