/**
 * Revocations and the facts of tokens, for the tests of the index.
 *
 * @module
 */
import type { RevocationEntry } from '../../src/revocation/index/entries.js'
import type { TokenFacts } from '../../src/revocation/index/revocation-index.js'

/** When every token was issued, and the default of when it expires. */
export const NOW = 1_735_689_600_000

export const ID = '01JGFJJZ00ABCDEFGHJKMNPQRS'

/** A token of the family {@link ID}. */
export const factsOf = (id: string, expiresAt = NOW): TokenFacts => ({
  id,
  family: ID,
  generation: 0,
  subject: 's',
  audience: 'a',
  keyId: 'k',
  issuedAt: NOW,
  expiresAt,
})

/** The revocation of one token. */
export const token = (value: string, expiresAt = NOW): RevocationEntry => ({
  kind: 'token',
  value,
  expiresAt,
})
