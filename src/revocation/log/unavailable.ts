/**
 * The error of a log that cannot be followed.
 *
 * @module
 */
import { WatchwordError } from '../../errors.js'
import { withReason } from '../../lib/failure-reason.js'

/** Creates the error. The message describes the problem of the log. */
export function unavailable(message: string): WatchwordError<'ERR_FEED_UNAVAILABLE'> {
  return withReason(new WatchwordError('ERR_FEED_UNAVAILABLE', message), 'corrupt')
}

/** Creates the error of a node whose index has no space for the log. */
export function indexFull(): WatchwordError<'ERR_FEED_UNAVAILABLE'> {
  const message = 'the revocation index is full: raise maxRevocations'
  return withReason(new WatchwordError('ERR_FEED_UNAVAILABLE', message), 'full')
}

/** The error for an authentic event with an entry of an unknown kind. */
export const unknownEntry = () =>
  unavailable(
    'the feed contains an entry of a kind that this version of the library does not know: upgrade watchword on this node to the newest version that any node of the feed runs',
  )
