/**
 * The error of a call to a store or a feed that was closed.
 *
 * @module
 */
import { ownFieldOf } from './foreign-value.js'

// A registered symbol, because the ESM and the CommonJS copy of the package may run in one process.
const CLOSED = Symbol.for('watchword.failure.closed')

/** The error of a call after close. */
export function closedError(adapter: `the ${string} ${'store' | 'feed'}`): Error {
  return Object.defineProperty(new Error(`${adapter} is closed`), CLOSED, { value: true })
}

/** Whether the error is one of {@link closedError}. */
export function isClosedError(error: Error): boolean {
  return ownFieldOf(error, CLOSED) === true
}
