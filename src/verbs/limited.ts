/**
 * What the restrictions of a token leave of it, computed once for each change of the index.
 *
 * @module
 */
import { BoundedScopes } from '../policy/bounded-scopes.js'
import type { Limits } from '../policy/limits.js'
import type { Verified } from '../types.js'
import { shownFor } from './sealed.js'

/** The effect of restrictions on one token. */
export interface Limited {
  readonly suspended: boolean
  /** When it must be computed again, in Unix milliseconds. */
  readonly until: number
  /** The token with its effective scopes. */
  readonly shown: Verified<unknown>
  readonly scopes: BoundedScopes
  /** The scopes that it would have if the restrictions on trial were enforced; `undefined` if there are none. */
  readonly tried: BoundedScopes | undefined
}

/** The effect of the limits on a token. */
export function limitedBy(principal: Verified<unknown>, limits: Limits): Limited {
  const { suspended, until, trial } = limits
  const scopes = new BoundedScopes(principal.scopes, limits)
  const { list } = scopes
  return {
    suspended,
    until,
    shown: list === principal.scopes ? principal : shownFor(principal, { scopes: list }),
    scopes,
    tried: trial && new BoundedScopes(principal.scopes, trial),
  }
}
