/**
 * The error of a log that cannot be followed.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'

/** Makes it; the message says what is wrong with the log. */
export function unavailable(message: string): WatchwordError<'ERR_FEED_UNAVAILABLE'> {
  return new WatchwordError('ERR_FEED_UNAVAILABLE', message)
}
