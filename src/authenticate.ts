/**
 * Authenticating: verify, and the I/O that it takes when verify alone cannot know.
 *
 * @module
 */

import { REJECTED } from './rejections.js'
import { CompiledRequirement, compileRequirement, NO_REQUIREMENT } from './requirement.js'
import { readToken } from './store/checked.js'
import type { Requirement, VerifyResult } from './types.js'
import type { Parts } from './wiring.js'

/** Decides about a token; see `Watchword.authenticate`. */
export async function authenticate(
  parts: Parts,
  token: unknown,
  requirement: Requirement | CompiledRequirement = NO_REQUIREMENT,
): Promise<VerifyResult<unknown>> {
  const needs =
    requirement instanceof CompiledRequirement ? requirement : compileRequirement(requirement)
  const { verifier, keyring, follower } = parts
  let result = verifier.verify(token, needs)
  if (parts.state.closed) return result
  if (!result.ok && result.code === 'unknown_key') {
    // An outage leaves the answer as it is: the key is not known.
    const asked = await keyring.refreshForUnknown().catch(() => false)
    if (asked) result = verifier.verify(token, needs)
  }
  if (result.ok || result.code !== 'stale') return result
  if (needs.fromStore) return askStore(parts, token, needs)
  await follower.pull().catch(() => undefined)
  return verifier.verify(token, needs)
}

/** Lets the store decide about one token, after everything else has passed. */
async function askStore(
  parts: Parts,
  token: unknown,
  needs: CompiledRequirement,
): Promise<VerifyResult<unknown>> {
  const { verifier, store, callStore, clock } = parts
  const found = verifier.find(token, needs.binding)
  if ('ok' in found) return found
  const record = await callStore(() => readToken(store, found.principal.id))
  if (record === undefined || record.id !== found.principal.id) return REJECTED.revoked
  if (record.revokedAt !== null) return REJECTED.revoked
  if (record.supersededAt !== null && clock.judged() >= record.supersededAt)
    return REJECTED.superseded
  return verifier.verify(token, needs, true)
}
