/**
 * The latest time of issue that a revocation covers.
 *
 * @module
 */
import type { Revocation } from '../store/store.js'
import type { Core } from './core.js'
import { maxAheadMs } from './issue-time.js'

/**
 * The latest time of issue that a revocation covers. A node whose clock is ahead has issued tokens with future times,
 * so this reaches past the local clock by half of the skew tolerance; a node that knows of the revocation issues tokens
 * with later times. The rest of the tolerance is for nodes whose clocks are behind and that must accept such a token at
 * once.
 */
export function reach(core: Core, { kind, value }: Pick<Revocation, 'kind' | 'value'>): number {
  const { clock, index, options } = core
  // The highest time that this clock has shown: after a step back, earlier tokens must still be covered.
  const lived = Math.max(clock.now(), clock.judged())
  const ahead = kind === 'token' ? 0 : Math.floor(options.clockToleranceMs / 2)
  // Tokens are issued after the last watermark, so one issued in this millisecond may carry the next one.
  return Math.max(lived + ahead, index.latestAround(kind, value, lived + maxAheadMs(core)) + 1)
}

const clockError = ({ clock, follower }: Core): number => clock.now() - follower.time.stamp()

/** Whether the store's clock has shown this node's clock to be wrong. */
export const isOff = (core: Core): boolean => clockError(core) !== 0

/**
 * Dates a revocation for other nodes and the store by the store's time, which is read once more: a clock that stopped
 * with its machine is then corrected.
 */
export async function corrected(core: Core, before: number): Promise<number> {
  await core.follower.time.look()
  return Math.max(0, before - clockError(core))
}
