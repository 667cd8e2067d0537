/**
 * Checks of the store and the feed that an authority is created with.
 *
 * @module
 */

import type { RevocationFeed } from '../feed/feed.js'
import { invalidOption } from '../lib/invalid.js'
import { isTestRun, warnOnce } from '../lib/warn.js'
import type { ResolvedOptions } from '../options/options.js'
import type { Store } from '../store/store.js'

/**
 * Throws `ERR_INVALID_OPTION` if the keys end with the process while the log that they sealed remains: no later process
 * could read it.
 */
export function refuseLostKeys(store: Store, feed: RevocationFeed): void {
  const { place } = feed.info
  if (store.supports.durable || place === undefined) return
  throw invalidOption(
    'store',
    `expected one that outlives the process, as the feed does (${place}): with the store "${store.name}" the keys that seal the feed would be lost at the next start; pass a store of a database, or memoryFeed()`,
  )
}

/** Warns once per process about a store or a feed that was left out. */
export function warnOfMemory({ store, feed }: Pick<ResolvedOptions, 'store' | 'feed'>): void {
  if (isTestRun() || (store !== undefined && feed !== undefined)) return
  if (store === undefined) {
    const missing = feed === undefined ? 'Pass `store` and `feed`' : 'Pass `store`'
    warnOnce(
      'WATCHWORD_MEMORY',
      `no store was given: tokens and keys are kept in memory and lost when this process ends. ${missing} to createWatchword, or memoryStore() if that is meant`,
    )
  } else if (store.supports.durable) {
    warnOnce(
      'WATCHWORD_MEMORY',
      `no feed was given: other processes over store "${store.name}" do not receive the revocations of this one. Pass \`feed\` to createWatchword, or memoryFeed() if there is one process only`,
    )
  }
}
