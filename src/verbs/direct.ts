/**
 * The direct way from the middleware into an authority: what `authenticate` does, without a promise where none is needed.
 *
 * It belongs to the library's own `authenticate` function by identity. A wrapper, a Proxy, a bound function or a copy of
 * its properties is another function, and is called as it is.
 *
 * @module
 */
import type { ResolvedClock } from '../lib/clock.js'
import type { RequestContext } from '../observe/channels.js'
import type { VerifyResult } from '../types.js'
import type { CompiledRequirement } from './requirement.js'

/** What the middleware asks of an authority beside its public methods. */
export interface Direct<Claims> {
  /** Decides as `authenticate` does; returns a promise only when it has to do I/O. */
  check(
    token: unknown,
    needs: CompiledRequirement,
    context: RequestContext | undefined,
  ): VerifyResult<Claims> | Promise<VerifyResult<Claims>>
  /** Whether the requirement was compiled by this copy of the library. */
  accepts(needs: unknown): boolean
  readonly clock: ResolvedClock
  /** How long one call to the store may take, in milliseconds. */
  readonly timeoutMs: number
  /** How long a rotated token of this policy goes on working, in milliseconds; infinite: until its successor is used. */
  graceMs(policy: string): number
}

type Ways = WeakMap<object, Direct<unknown>>

// One table for the ESM and the CommonJS copy of the package, which may meet in one process.
const TABLE = Symbol.for('watchword.direct.2')
const ways: Ways = sharedTable()

function sharedTable(): Ways {
  const known = Object.getOwnPropertyDescriptor(globalThis, TABLE)?.value as Ways | undefined
  if (known !== undefined) return known
  const made: Ways = new WeakMap()
  // Where the global object takes no more properties, each copy has a table of its own.
  Reflect.defineProperty(globalThis, TABLE, { __proto__: null, value: made } as PropertyDescriptor)
  return made
}

/** Registers the direct way of an `authenticate` function of the library. */
export function registerDirect(authenticate: object, direct: Direct<unknown>): void {
  ways.set(authenticate, direct)
}

/** The direct way of an `authenticate` function, if it is the library's own. */
export function directOf<Claims>(authenticate: unknown): Direct<Claims> | undefined {
  return typeof authenticate === 'function'
    ? (ways.get(authenticate) as Direct<Claims> | undefined)
    : undefined
}
