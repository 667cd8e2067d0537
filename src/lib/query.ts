/**
 * The fields that queries of operators share.
 *
 * @module
 */
import * as z from 'zod/mini'
import { invalidArgument } from './invalid.js'
import { isName } from './name.js'
import { describe } from './quote.js'
import { optional } from './schema.js'

/** Text of up to `max` characters. `meaning`: what it is, where its name does not say it. */
export const nameText = (max: number, meaning?: string) =>
  optional(
    z.custom<string>(
      (value) => isName(value, max),
      `expected ${meaning === undefined ? '' : `${meaning}, `}1 to ${max} characters`,
    ),
  )

/** Unix milliseconds. `example`: how a caller gets such a time. */
export const timeField = (example: string) =>
  optional(
    z.custom<number>(
      (value) => Number.isSafeInteger(value) && (value as number) >= 0,
      `expected Unix milliseconds, such as ${example}`,
    ),
  )

const NEXT = '`next` of the previous page'

/** The error for an `after` that no page can have returned. */
export const unknownPosition = (after: string) =>
  invalidArgument('after', `expected ${NEXT}, got ${describe(after)}`)

/** The order, the size and the start of a page. */
export const pageShape = {
  // The last row of a page may be one that an attacker inserted, with any id.
  after: nameText(1024, NEXT),
  order: optional(
    z.custom<'oldest' | 'newest'>(
      (value) => value === 'oldest' || value === 'newest',
      "expected 'oldest' or 'newest'",
    ),
  ),
  limit: optional(
    z.custom<number>(
      (value) => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 1000,
      'expected a whole number from 1 to 1000',
    ),
  ),
}

/** The limit of a query that has none. */
export const DEFAULT_LIMIT = 100
