/**
 * The errors for invalid options and arguments.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'

/** The error for an option: names the field, the fault and the fix. */
export function invalidOption(field: string, fix: string): WatchwordError<'ERR_INVALID_OPTION'> {
  return new WatchwordError('ERR_INVALID_OPTION', `${field}: ${fix}`)
}

/** The error for an argument of a call: names the field, the fault and the fix. */
export function invalidArgument(
  field: string,
  fix: string,
): WatchwordError<'ERR_INVALID_ARGUMENT'> {
  return new WatchwordError('ERR_INVALID_ARGUMENT', `${field}: ${fix}`)
}
