/**
 * Names: issuers, audiences, subjects, policies, actors.
 *
 * @module
 */
import { codeAt } from './char-code.js'

/** A valid name for an issuer, an audience, a subject or a policy: no control characters, no lone surrogates. */
export function isName(value: unknown, maxLength: number): value is string {
  if (
    typeof value !== 'string' ||
    value === '' ||
    value.length > maxLength ||
    !value.isWellFormed()
  )
    return false
  for (let i = 0; i < value.length; i++)
    if (codeAt(value, i) < 0x20 || codeAt(value, i) === 0x7f) return false
  return true
}
