/**
 * The details of a token: what its record says for people.
 *
 * @module
 */
import * as z from 'zod/mini'
import { WatchwordError } from '../errors.js'
import { isName } from '../lib/name.js'
import { quote } from '../lib/quote.js'
import { DETAILS, type Detail, type Policy } from '../policy/policy.js'
import type { TokenRecord } from '../store/store.js'

/** The details of a record. */
export type Details = Pick<TokenRecord, Detail>

const MAX_LENGTH = { label: 128, owner: 256, purpose: 512 } as const satisfies Record<
  Detail,
  number
>

// The second block of control characters, which names may contain.
const C1 = /[\u0080-\u009f]/

/** The schema of one detail. */
export const detail = (name: Detail) =>
  z.custom<string>(
    (value) => isName(value, MAX_LENGTH[name]) && !C1.test(value),
    `expected 1 to ${MAX_LENGTH[name]} characters, none of them a control character`,
  )

/** Throws `ERR_DETAILS_REQUIRED` if the policy demands a detail that is missing. */
export function assertRequired({ name, require }: Policy, details: Details): void {
  const missing = require.filter((each) => details[each] === null)
  if (missing.length === 0) return
  throw new WatchwordError(
    'ERR_DETAILS_REQUIRED',
    `policy ${quote(name)} requires ${missing.join(' and ')}, which the token would not have`,
  )
}

/** The details that differ from those before, for the audit channel. */
export function changedDetails(before: Details, after: Details): Partial<Details> {
  const changed = DETAILS.filter((name) => before[name] !== after[name])
  return Object.fromEntries(changed.map((name) => [name, after[name]]))
}

/** How often a change of the details is tried: enough for every process that changes the same token at that time. */
export const DETAILS_ATTEMPTS = 20

/** The error if the details changed during each of these attempts. */
export function detailsContended(id: string): WatchwordError {
  return new WatchwordError(
    'ERR_STORE_UNAVAILABLE',
    'the details of the token were replaced by other processes at every attempt; try again',
    { detail: `token ${id}` },
  )
}
