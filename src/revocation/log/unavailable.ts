/**
 * The error of a log that cannot be followed.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { withReason } from '../../lib/failure-reason.js'

/** Makes it; the message says what is wrong with the log. */
export function unavailable(message: string): WatchwordError<'ERR_FEED_UNAVAILABLE'> {
  return withReason(new WatchwordError('ERR_FEED_UNAVAILABLE', message), 'corrupt')
}

/** The error of a node that has no room for what the log holds. */
export function indexFull(): WatchwordError<'ERR_FEED_UNAVAILABLE'> {
  const message = 'the revocation index is full: raise maxRevocations'
  return withReason(new WatchwordError('ERR_FEED_UNAVAILABLE', message), 'full')
}
