/**
 * Options that are there and are `undefined`, as a misspelt constant is: an error everywhere.
 *
 * @module
 */
import { WatchwordError } from './errors.js'

/** What a message says of such a field. */
export const EXPLICIT_UNDEFINED = 'it is undefined: set a value, or leave the field out'

/** Throws `ERR_INVALID_OPTION` for an option that is there and is `undefined`. */
export function refuseUndefined(options: object): void {
  for (const name of Object.getOwnPropertyNames(options)) {
    if ((options as Record<string, unknown>)[name] === undefined)
      throw new WatchwordError('ERR_INVALID_OPTION', `${name}: ${EXPLICIT_UNDEFINED}`)
  }
}
