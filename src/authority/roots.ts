/**
 * The root keys of an authority, with a limit on how long each may take.
 *
 * @module
 */

import { ephemeralRootKey, MAKE_A_KEY, type RootKey } from '../keys/root-key.js'
import type { ResolvedClock } from '../lib/clock.js'
import { withDeadline } from '../lib/deadline.js'
import { invalidOption } from '../lib/invalid.js'
import type { ResolvedOptions } from '../options/options.js'
import type { Store } from '../store/store.js'

/**
 * The current root key, then those being replaced. Without one in the options, generates one for this process; throws
 * `ERR_INVALID_OPTION` if the store outlives the process.
 */
export function resolveRoots(
  options: ResolvedOptions,
  store: Store,
  clock: ResolvedClock,
): [RootKey, ...RootKey[]] {
  const timely = (root: RootKey) => inTime(root, clock, options.timeoutMs)
  const previous = options.previousRootKeys.map(timely)
  if (options.rootKey !== undefined) return [timely(options.rootKey), ...previous]
  if (store.supports.durable) {
    throw invalidOption(
      'rootKey',
      `required with store "${store.name}", which outlives the process; ${MAKE_A_KEY}`,
    )
  }
  return [ephemeralRootKey(), ...previous]
}

// A KMS that hangs must not block later reads of the keys.
function inTime(root: RootKey, clock: ResolvedClock, deadlineMs: number): RootKey {
  const { id } = root
  const deadline = { clock, deadlineMs, code: 'ERR_ROOT_KEY' as const, name: `root key "${id}"` }
  return {
    id,
    seal: (key) => withDeadline(deadline, () => root.seal(key)),
    open: (wrapped) => withDeadline(deadline, () => root.open(wrapped)),
  }
}
