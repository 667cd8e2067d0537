/**
 * Checks the options of the contracts before any case is registered: otherwise a runner would report a missing option
 * for every case.
 *
 * @module
 */
import { invalidOption } from '../lib/invalid.js'
import { describeKind } from '../lib/quote.js'

/** Returns the options if `describe`, `it` and the maker are functions. Otherwise throws `ERR_INVALID_OPTION`. */
export function checkedOptions<T extends object>(options: T, maker: keyof T & string): T {
  for (const name of ['describe', 'it', maker]) {
    const given: unknown = (options as Readonly<Record<string, unknown>> | undefined)?.[name]
    if (typeof given === 'function') continue
    throw invalidOption(
      name,
      `expected a function, got ${describeKind(given)}; pass { describe, it, ${maker} }`,
    )
  }
  return options
}
