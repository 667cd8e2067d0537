/**
 * The direct way from the middleware into an authority: what `authenticate` does, without a promise where none is needed.
 *
 * It hangs on the `authenticate` function itself, so that whoever wraps an authority and replaces that function cannot
 * be passed by.
 *
 * @module
 */
import type { ResolvedClock } from '../clock.js'
import type { RequestContext } from '../observe/channels.js'
import type { CompiledRequirement } from '../requirement.js'
import type { VerifyResult } from '../types.js'

/** Where it is found. Registered, since the ESM and the CommonJS copy of the package may meet in one process. */
export const DIRECT: unique symbol = Symbol.for('watchword.direct.1')

/** What the middleware asks of an authority beside its public methods. */
export interface Direct<Claims> {
  /** Decides as `authenticate` does; answers a promise only when it has to do I/O. */
  check(
    token: unknown,
    needs: CompiledRequirement,
    context: RequestContext | undefined,
  ): VerifyResult<Claims> | Promise<VerifyResult<Claims>>
  readonly clock: ResolvedClock
  /** How long one call to the store may take, in milliseconds. */
  readonly timeoutMs: number
  /** How long a rotated token of this policy goes on working, in milliseconds; infinite: until its successor is used. */
  graceMs(policy: string): number
}
