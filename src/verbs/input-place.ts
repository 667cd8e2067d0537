/**
 * The place of an input among several in the message of an error about it.
 *
 * @module
 */
import { WatchwordError, type WatchwordErrorCode } from '../errors.js'

// The errors that one input causes. The others, such as an outage, concern the call.
const CAUSED_BY_INPUT: ReadonlySet<WatchwordErrorCode> = new Set([
  'ERR_INVALID_ARGUMENT',
  'ERR_UNKNOWN_POLICY',
  'ERR_UNKNOWN_AUDIENCE',
  'ERR_SCOPE_NOT_GRANTABLE',
  'ERR_DETAILS_REQUIRED',
  'ERR_AUDIT_NOT_KEPT',
  'ERR_TTL_TOO_LONG',
  'ERR_RESERVED_CLAIM',
  'ERR_CLAIMS_INVALID',
  'ERR_TOKEN_TOO_LONG',
])

/** Throws the error; if the input at this index caused it, with `inputs.<index>` before the message. */
export function throwAtInput(index: number, error: unknown): never {
  if (!(error instanceof WatchwordError) || !CAUSED_BY_INPUT.has(error.code)) throw error
  throw new WatchwordError(error.code, `inputs.${index}: ${error.message}`)
}
