/**
 * The claims as they were sealed, for results that restrictions have narrowed: a watch is judged by them, because a list
 * of scopes cannot express a wildcard of which a part was denied.
 *
 * @module
 */
import type { Verified } from '../types.js'

const sealed = new WeakMap<object, Verified<unknown>>()

/** A frozen result that is shown in place of `principal`. */
export function shownFor(
  principal: Verified<unknown>,
  changes: Partial<Verified<unknown>>,
): Verified<unknown> {
  const shown = Object.freeze({ ...principal, ...changes })
  sealed.set(shown, sealedOf(principal) ?? principal)
  return shown
}

/** The claims of a result as they were sealed; `undefined` if the result was not narrowed. */
export const sealedOf = (result: object): Verified<unknown> | undefined => sealed.get(result)
