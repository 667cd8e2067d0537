/**
 * Rows of the store, believed only as far as a token or an integrity tag proves them.
 *
 * The token is the authority about its own claims, the store about state. A row that contradicts either was edited, and
 * may only narrow what a token can do.
 *
 * @module
 */
import { audit, type Core } from './core.js'
import { WatchwordError } from './errors.js'
import { intersectScopes } from './policy/scopes.js'
import type { TokenRecord } from './store/store.js'
import type { Verified } from './types.js'

/** The claims that both a token and its record have. */
const CLAIMED = [
  'id',
  'subject',
  'audience',
  'policy',
  'family',
  'generation',
  'issuedAt',
  'expiresAt',
] as const satisfies readonly (keyof TokenRecord & keyof Verified<unknown>)[]

/** Checks a row by its tag. Rejects with `ERR_STORE_CORRUPT`, and reports it. */
export async function assertIntact(core: Core, record: TokenRecord): Promise<void> {
  const integrity = await core.tagger.checkRecord(record)
  if (integrity === 'unknown') {
    throw new WatchwordError(
      'ERR_NO_SIGNING_KEY',
      'the key that proves the integrity of the row is not loaded; try again when the store answers',
      { detail: `token ${record.id}, key ${record.keyId}` },
    )
  }
  if (integrity === 'tampered') throw tampered(core, record)
}

/** Checks a row by its tag and by the authentic claims of its token. Rejects as {@link assertIntact} does. */
export async function assertMatches(
  core: Core,
  record: TokenRecord,
  principal: Verified<unknown>,
): Promise<void> {
  const policy = core.options.policies.get(record.policy)
  // A verified token has the scopes that its policy still grants, a row those that the token was issued with.
  const scopes =
    policy === undefined ? record.scopes : intersectScopes(record.scopes, policy.scopes)
  const isSame =
    CLAIMED.every((field) => record[field] === principal[field]) &&
    scopes.length === principal.scopes.length &&
    scopes.every((scope, index) => scope === principal.scopes[index])
  if (!isSame) throw tampered(core, record)
  await assertIntact(core, record)
}

/** Checks that one row is the successor of another. Rejects as {@link assertIntact} does. */
export async function assertSuccessor(
  core: Core,
  record: TokenRecord,
  successor: TokenRecord,
): Promise<void> {
  const { id, family, generation } = record
  const follows = successor.generation === generation + 1 && successor.family === family
  if (!follows || successor.predecessor !== id) throw tampered(core, record)
  await assertIntact(core, successor)
}

/** Whether the rows prove that one token was rotated to another. Reports it where they do not. */
export async function isSuccession(
  core: Core,
  predecessor: TokenRecord,
  successor: TokenRecord,
  principal: Verified<unknown>,
): Promise<boolean> {
  try {
    await assertMatches(core, successor, principal)
    await assertSuccessor(core, predecessor, successor)
    await assertIntact(core, predecessor)
    return true
  } catch (error) {
    if (error instanceof WatchwordError && error.code === 'ERR_STORE_CORRUPT') return false
    throw error
  }
}

/** Reports a row that contradicts what is proved, and makes the error for it. */
export function tampered(core: Core, { id }: TokenRecord): WatchwordError<'ERR_STORE_CORRUPT'> {
  const detail = `token ${id}`
  audit(core, { action: 'store.tampered', actor: 'system', target: 'token', id })
  return new WatchwordError(
    'ERR_STORE_CORRUPT',
    'the row of the token does not match its integrity tag, or was written before tags existed; restore the row from a backup, or issue a new token',
    { detail },
  )
}
