/**
 * Requirements of restricted tokens.
 *
 * @module
 */
import type { BoundedScopes } from '../policy/bounded-scopes.js'
import type { Rejected, Verified } from '../types.js'
import type { Limited } from './limited.js'
import { REJECTED } from './rejections.js'
import { type CompiledRequirement, insufficient } from './requirement.js'
import { shownFor } from './sealed.js'

/** Why a restricted token does not meet the requirement, if so. */
export function unmetWithin(
  { shown, scopes }: Limited,
  requirement: CompiledRequirement,
): Rejected | undefined {
  if (requirement.audience !== undefined && requirement.audience !== shown.audience)
    return REJECTED.wrongAudience
  const missing = missingWithin(scopes, requirement)
  return missing.length === 0 ? undefined : insufficient(missing)
}

/** The result for a requirement that a restricted token meets. */
export function answerOf(
  { shown, tried }: Limited,
  requirement: CompiledRequirement,
): Verified<unknown> {
  if (tried === undefined || missingWithin(tried, requirement).length === 0) return shown
  return shownFor(shown, { wouldRefuse: 'insufficient_scope' })
}

function missingWithin(
  scopes: BoundedScopes,
  { allOf, anyOf }: CompiledRequirement,
): readonly string[] {
  const missing = allOf.filter((scope) => !scopes.covers(scope))
  if (anyOf.length > 0 && !anyOf.some((scope) => scopes.covers(scope))) missing.push(...anyOf)
  return missing
}
