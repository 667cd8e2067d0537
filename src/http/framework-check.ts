/**
 * Recognizes a guard that another framework called: the guards have the same name for every framework.
 *
 * @module
 */
import type { WatchwordError } from '../errors.js'
import { invalidArgument } from '../lib/invalid.js'
import { describe } from '../lib/quote.js'

/** Whether each of these members of a value is a function. Reads nothing of a value that is not an object. */
export const hasFunctions = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function')

/**
 * The error for a guard that was called with something else than its framework passes.
 *
 * @param subpath - The subpath from which the guard was imported, such as `koa`.
 * @param expected - What the framework passes, such as `a Koa context`.
 * @param given - What was passed instead.
 * @param hint - The fix. Default: import the guard of the framework that called it.
 */
export function wrongCaller(
  subpath: string,
  expected: string,
  given: unknown,
  hint = 'import requireToken from the subpath of your framework',
): WatchwordError {
  return invalidArgument(
    'requireToken',
    `the guard of 'watchword/${subpath}' expected ${expected}, got ${describe(given)}; ${hint}`,
  )
}
