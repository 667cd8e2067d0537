/** A database that was dropped while the broker was kept, and how an administrator resets the feed. */
import { Redis } from 'ioredis'
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import { createWatchword, type WatchwordOptions } from 'watchword'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { memoryFeed } from '../../src/feed/memory.js'
import { redisFeed } from '../../src/feed/redis.js'
import { sqliteFeed } from '../../src/feed/sqlite.js'
import { withWakeups } from '../../src/feed/wakeups.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import { memoryStore } from '../../src/store/memory.js'
import { sqliteStore } from '../../src/store/sqlite.js'
import { serverUrl, uniqueName } from '../contract/servers.js'

const url = await serverUrl('redis')
await ready
const rootKey = exportKey(generateKey())

async function start(feed: RevocationFeed, database: Libsql.Database) {
  const store = sqliteStore(database)
  await store.migrate()
  const options: WatchwordOptions<undefined> = {
    issuer: 'acme',
    audience: 'api',
    rootKey,
    store,
    feed,
    policies: { s: { ttl: '1d', scopes: ['*'] } },
  }
  return createWatchword(options)
}

describe('a feed whose store was dropped', () => {
  const client = url === undefined ? undefined : new Redis(url, { maxRetriesPerRequest: 1 })
  const prefix = uniqueName()
  const file = new Libsql(':memory:')
  afterAll(async () => {
    await client?.del(`{${prefix}}:feed`, `{${prefix}}:feed:log`)
    client?.disconnect()
  })
  const silent = { publish: () => undefined, subscribe: async () => undefined }
  const feeds: [string, string, () => RevocationFeed | undefined][] = [
    ['redis', `{${prefix}}:feed`, () => client && redisFeed(client, { prefix })],
    ['sqlite', 'watchword_feed_head', () => sqliteFeed(file)],
    ['sqlite with wake-ups', 'watchword_feed_head', () => withWakeups(sqliteFeed(file), silent)],
  ]

  it.each(feeds)(
    'in %s makes the start name what to remove, and starts again after a reset',
    async (_, place, make) => {
      await sqliteFeed(file).migrate()
      const open = make()
      if (open === undefined) return expect(url).toBeUndefined()
      const before = await start(open, new Libsql(':memory:'))
      await before.revoke({ subject: 'another' }, { actor: 'ops' })
      await before.close()
      const dropped = new Libsql(':memory:')
      const refused = await start(make() as RevocationFeed, dropped).catch((error) => error)
      expect(refused).toMatchObject({
        code: 'ERR_FEED_UNAVAILABLE',
        message: expect.stringContaining(place),
      })
      expect(refused.message).toContain('reset()')
      await (make() as RevocationFeed).reset?.()
      const after = await start(make() as RevocationFeed, dropped)
      const { token } = await after.issue({ policy: 's', subject: 'm', actor: 'ops' })
      expect(after.verify(token).ok).toBe(true)
      await after.close()
      await (make() as RevocationFeed).reset?.()
    },
  )

  it('is rejected with a store in memory, whose keys would be lost at the next start', async () => {
    const options = {
      issuer: 'acme',
      audience: 'api',
      policies: { s: { ttl: '1d', scopes: ['*'] } },
    }
    await expect(
      createWatchword({ ...options, store: memoryStore(), feed: sqliteFeed(file) }),
    ).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/^store: .*outlives the process.*watchword_feed_head/),
    })
    const watchword = await createWatchword({ ...options, feed: memoryFeed() })
    await watchword.close()
  })

  it('in memory starts again after a reset as well', async () => {
    const feed = memoryFeed()
    const database = new Libsql(':memory:')
    const first = await start(feed, database)
    await first.revoke({ subject: 'another' }, { actor: 'ops' })
    expect(feed.peek?.()).not.toBeNull()
    await feed.reset?.()
    expect(feed.peek?.()).toBeNull()
    await first.close()
  })
})
