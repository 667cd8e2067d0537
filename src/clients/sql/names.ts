/**
 * Names that become part of SQL text.
 *
 * @module
 */
import { invalidOption } from '../../lib/invalid.js'
import { describe } from '../../lib/quote.js'

const NAME = /^[a-z_][a-z0-9_]{0,30}$/

/** Checks the name of a prefix or schema, which no database accepts as a bound value. Throws `ERR_INVALID_OPTION`. */
export function checkedName(field: string, name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw invalidOption(
    field,
    `expected 1 to 31 of a-z, 0-9 and '_', and no digit first, got ${describe(name)}`,
  )
}

/** The prefix of the tables, or its default. */
export function checkedPrefix(prefix: unknown): string {
  return prefix === undefined ? 'watchword_' : checkedName('prefix', prefix)
}
