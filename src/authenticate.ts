/**
 * Authenticating: verify, and the I/O that it takes when verify alone cannot know.
 *
 * @module
 */

import { REJECTED } from './rejections.js'
import { CompiledRequirement, compileRequirement, NO_REQUIREMENT } from './requirement.js'
import { readToken } from './store/checked.js'
import type { Rejected, Requirement, VerifyResult } from './types.js'
import type { Entry } from './verify.js'
import type { Parts } from './wiring.js'

interface Decision {
  readonly found: Entry | Rejected
  readonly result: VerifyResult<unknown>
}

/** Decides about a token; see `Watchword.authenticate`. */
export async function authenticate(
  parts: Parts,
  token: unknown,
  requirement: Requirement | CompiledRequirement = NO_REQUIREMENT,
): Promise<VerifyResult<unknown>> {
  const needs =
    requirement instanceof CompiledRequirement ? requirement : compileRequirement(requirement)
  const { found, result } = await decide(parts, token, needs)
  // Told once, when it is final: what was only an occasion to ask is no decision.
  parts.verifier.tell(found, result)
  return result
}

async function decide(parts: Parts, token: unknown, needs: CompiledRequirement): Promise<Decision> {
  const decision = decideNow(parts, token, needs)
  if (parts.state.closed) return decision
  const known = isUnknownKey(decision.result) ? await refreshKeys(parts, token, needs) : decision
  const { found, result } = known ?? decision
  if ('ok' in found || !isStale(result)) return { found, result }
  if (needs.fromStore) return { found, result: await askStore(parts, found, needs) }
  await parts.follower.confirm()
  return { found, result: parts.verifier.decide(found, needs) }
}

function decideNow({ verifier }: Parts, token: unknown, needs: CompiledRequirement): Decision {
  const found = verifier.find(token, needs.binding)
  return { found, result: 'ok' in found ? found : verifier.decide(found, needs) }
}

const isUnknownKey = (result: VerifyResult<unknown>) => !result.ok && result.code === 'unknown_key'

// What passes only because `onStale` lets it is an occasion to ask, too.
const isStale = (result: VerifyResult<unknown>) =>
  result.ok ? result.stale === true : result.code === 'stale'

async function refreshKeys(
  parts: Parts,
  token: unknown,
  needs: CompiledRequirement,
): Promise<Decision | undefined> {
  // An outage leaves the answer as it is: the key is not known.
  const asked = await parts.keyring.refreshForUnknown().catch(() => false)
  return asked ? decideNow(parts, token, needs) : undefined
}

/** Lets the store decide about one token, after everything else has passed. */
async function askStore(
  { verifier, store, callStore, clock }: Parts,
  entry: Entry,
  needs: CompiledRequirement,
): Promise<VerifyResult<unknown>> {
  const record = await callStore(() => readToken(store, entry.principal.id))
  if (record === undefined || record.revokedAt !== null) return REJECTED.revoked
  if (record.supersededAt !== null && clock.judged() >= record.supersededAt) {
    return REJECTED.superseded
  }
  return verifier.decide(entry, needs, true)
}
