/**
 * The direct path from the middleware into an authority: like `authenticate`, but without a promise where none is
 * needed.
 *
 * It is bound to the library's own `authenticate` function by identity. A wrapper, a Proxy, a bound function or a copy
 * is a different function and is called normally.
 *
 * @module
 */
import type { ResolvedClock } from '../lib/clock.js'
import { sharedTable } from '../lib/shared-table.js'
import type { RequestContext } from '../observe/channels.js'
import type { VerifyResult } from '../types.js'
import type { CompiledRequirement } from './requirement.js'

/** The internal methods that the middleware uses besides the public ones. */
export interface Direct<Claims> {
  /** Decides like `authenticate`; returns a promise only if it has to do I/O. */
  check(
    token: unknown,
    needs: CompiledRequirement,
    context: RequestContext | undefined,
  ): VerifyResult<Claims> | Promise<VerifyResult<Claims>>
  /** Whether the requirement was compiled by this copy of the library. */
  accepts(needs: unknown): boolean
  /** Whether the context of each request is counted. */
  readonly keepsCallers: boolean
  readonly clock: ResolvedClock
  /** The timeout of one call to the store, in milliseconds. */
  readonly timeoutMs: number
  /** How long a rotated token of this policy stays valid, in milliseconds; infinite: until its successor is used. */
  graceMs(policy: string): number
}

const ways = sharedTable<Direct<unknown>>('watchword.direct.2')

/** Registers the direct path of an `authenticate` function of the library. */
export function registerDirect(authenticate: object, direct: Direct<unknown>): void {
  ways.set(authenticate, direct)
}

/** The direct path of an `authenticate` function, if it is the library's own. */
export function directOf<Claims>(authenticate: unknown): Direct<Claims> | undefined {
  // A WeakMap returns `undefined` for every value that is not one of its keys, primitives included.
  return ways.get(authenticate as object) as Direct<Claims> | undefined
}
