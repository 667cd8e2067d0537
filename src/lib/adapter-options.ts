/**
 * Parses the options of stores, feeds and channels.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { fieldsOf } from './fields.js'
import { invalidOption } from './invalid.js'
import { allowedNames, describeKind, quote } from './quote.js'
import { EXPLICIT_UNDEFINED } from './undefined.js'

/**
 * Returns the options of an adapter, empty if none were passed. Throws `ERR_INVALID_OPTION` for an unknown field,
 * because a misspelt option would be ignored, and for `undefined`, which may be a misspelt constant.
 *
 * @param given - The rest of the arguments, so an explicit `undefined` differs from no argument.
 */
export function adapterOptions<T extends object>(
  given: readonly [options?: T],
  names: readonly (keyof T & string)[],
): T {
  const [options] = given
  if (given.length > 0 && (typeof options !== 'object' || Array.isArray(options ?? [])))
    throw invalidOption('options', `expected an object, got ${describeKind(options)}`)
  // Without a prototype, so a polluted one sets no option.
  const fields = fieldsOf(options ?? {}, names)
  for (const [name, value] of Object.entries(fields)) {
    if (!names.some((known) => known === name))
      throw new WatchwordError(
        'ERR_INVALID_OPTION',
        `unknown option ${quote(name)}${allowedNames(name, names)}`,
      )
    if (value === undefined) throw invalidOption(name, EXPLICIT_UNDEFINED)
  }
  return fields as T
}
