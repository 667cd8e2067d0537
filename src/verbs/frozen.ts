/**
 * Whether issue or rotation is frozen.
 *
 * @module
 */
import { WatchwordError } from '../errors.js'
import type { Core } from './core.js'

/** Throws `ERR_FROZEN`, with `retryAt` if the end of the freeze is known. */
export function assertNotFrozen(
  { index, clock }: Pick<Core, 'index' | 'clock'>,
  verb: 'issue' | 'rotate',
): void {
  const until = index.registers.frozenUntil(verb, clock.judged())
  if (until === undefined) return
  const what = verb === 'issue' ? 'issuing' : 'rotating'
  const message =
    until === null
      ? `${what} is frozen on every node until an administrator calls unfreeze`
      : `${what} is frozen on every node until ${new Date(until).toISOString()}, unless an administrator calls unfreeze earlier`
  throw new WatchwordError('ERR_FROZEN', message, until === null ? {} : { retryAt: until })
}
