/**
 * The options of the contracts, checked before any case is registered: a runner would report a missing one case by case.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import { describe } from '../lib/quote.js'

/** The options, if `describe`, `it` and the maker are functions. Throws `ERR_INVALID_OPTION` otherwise. */
export function checkedOptions<T extends object>(options: T, maker: keyof T & string): T {
  for (const name of ['describe', 'it', maker]) {
    const given: unknown = (options as Readonly<Record<string, unknown>> | undefined)?.[name]
    if (typeof given === 'function') continue
    throw new WatchwordError(
      'ERR_INVALID_OPTION',
      `${name}: expected a function, got ${describe(given)}; pass { describe, it, ${maker} }`,
    )
  }
  return options
}
