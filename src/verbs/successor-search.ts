/**
 * The search for the newest successor of a token, in the store.
 *
 * @module
 */
import { rotateAtOf } from '../policy/policy.js'
import { intersectScopes } from '../policy/scopes.js'
import { readToken } from '../store/checked.js'
import type { TokenRecord } from '../store/store.js'
import type { Verified } from '../types.js'
import type { Core } from './core.js'

/** The maximum number of searches at the same time. */
const MAX_SEARCHES = 16

type Search = (principal: Verified<unknown>) => Promise<Verified<unknown> | undefined>

/**
 * Creates the search. It resolves with the principal of the newest successor, or with `undefined` if the token has none
 * or a row on the way was edited. It rejects like the store.
 */
export function successorSearch(core: Core): Search {
  const waiting: (() => void)[] = []
  let running = 0
  return async (principal) => {
    if (running >= MAX_SEARCHES) await new Promise<void>((resolve) => waiting.push(resolve))
    running++
    try {
      return await newestOf(core, principal)
    } finally {
      running--
      waiting.shift()?.()
    }
  }
}

async function newestOf(
  core: Core,
  principal: Verified<unknown>,
): Promise<Verified<unknown> | undefined> {
  let newest: TokenRecord | undefined
  let next: string | null = principal.id
  while (next !== null) {
    const id: string = next
    const record = await core.callStore(() => readToken(core.store, id))
    // An edited row could name a token of another family.
    if (record === undefined || (await core.tagger.checkRecord(record)) !== 'intact')
      return undefined
    const { family, generation } = record
    if (family !== principal.family || generation < (newest?.generation ?? 0)) return undefined
    newest = record
    next = record.successor
  }
  if (newest === undefined || newest.id === principal.id) return undefined
  await core.keyring.lookUp(newest.keyId)
  return principalOf(core, newest, principal)
}

function principalOf(
  { options }: Core,
  record: TokenRecord,
  { claims }: Verified<unknown>,
): Verified<unknown> {
  const { id, subject, audience, family, generation, issuedAt, expiresAt, keyId } = record
  const policy = options.policies.get(record.policy)
  return Object.freeze({
    ok: true,
    id,
    subject,
    audience,
    scopes: policy === undefined ? record.scopes : intersectScopes(record.scopes, policy.scopes),
    policy: record.policy,
    family,
    generation,
    issuedAt,
    expiresAt,
    rotateAt: rotateAtOf(policy, issuedAt, expiresAt),
    keyId,
    claims,
  })
}
