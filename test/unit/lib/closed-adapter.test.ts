/** What a call to a store or a feed says after its authority closed it. */
import Database from 'libsql'
import { describe, expect, it } from 'vitest'
import { createWatchword, memoryFeed, memoryStore, type WatchwordError } from 'watchword'
import { sqliteFeed } from 'watchword/feed/sqlite'
import { sqliteStore } from 'watchword/store/sqlite'
import { errorOf, newRootKey } from '../../support/fleet.js'

const ADAPTERS = {
  memory: async () => ({ store: memoryStore(), feed: memoryFeed() }),
  sqlite: async () => {
    const database = new Database(':memory:')
    const [store, feed] = [sqliteStore(database), sqliteFeed(database)]
    await store.migrate()
    return { store, feed }
  },
} as const

async function reuse(name: 'memory' | 'sqlite', which: 'store' | 'feed'): Promise<WatchwordError> {
  const used = await ADAPTERS[name]()
  await used[which].close()
  const fresh = await ADAPTERS[name]()
  const options = {
    issuer: 'acme',
    audience: 'orders-api',
    policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
    rootKey: newRootKey(),
    store: which === 'store' ? used.store : fresh.store,
    ...(which === 'feed' && { feed: used.feed }),
  } as const
  return errorOf(createWatchword(options))
}

describe('a closed adapter that is used again', () => {
  it.each([
    ['memory', 'store', 'ERR_STORE_UNAVAILABLE'],
    ['sqlite', 'store', 'ERR_STORE_UNAVAILABLE'],
    ['memory', 'feed', 'ERR_FEED_UNAVAILABLE'],
    ['sqlite', 'feed', 'ERR_FEED_UNAVAILABLE'],
  ] as const)(
    '%s %s: the error says that it was closed and what to do',
    async (name, which, code) => {
      const error = await reuse(name, which)
      expect(error).toMatchObject({ code, cause: { message: `the ${name} ${which} is closed` } })
      expect(error.message).toBe(
        `${which} "${name}" failed: it was closed, by its authority or a call to close(); create a new one`,
      )
    },
  )
})
