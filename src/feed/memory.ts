/**
 * The feed of one process, and the reference for the other feeds.
 *
 * @module
 */
import type { RevocationFeed } from './feed.js'
import { emptyLog, feedOf, headOf } from './memory-log.js'

/**
 * A feed in memory. Authorities that share it apply a revocation before `revoke` resolves. It does not reach other
 * processes and ends with this one (`info.durability` is `'none'`), so use it for a single process, tests and trying out
 * the library.
 *
 * @example
 * ```ts
 * import { createWatchword } from 'watchword'
 * import { memoryFeed } from 'watchword/feed/memory'
 *
 * const feed = memoryFeed()
 * const watchword = await createWatchword({ issuer: 'https://auth.example', audience: 'api', feed, policies: { job: { ttl: '5m', scopes: [] } } })
 * await watchword.close()
 * ```
 */
export function memoryFeed(): RevocationFeed {
  const log = emptyLog()
  const feed = feedOf(log)
  return {
    ...feed,
    info: { ...feed.info, durability: 'none' },
    peek: () => headOf(log),
    reset: async () => void Object.assign(log, emptyLog(), { wakes: log.wakes }),
  }
}
