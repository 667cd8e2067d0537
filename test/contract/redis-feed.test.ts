import { Redis } from 'ioredis'
import { createClient, createClientPool } from 'redis'
import { afterAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { type RedisFeedClient, redisFeed } from '../../src/feed/redis.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('redis')

describe.skipIf(url === undefined)('redis', async () => {
  const io = new Redis(url ?? '', { lazyConnect: true, maxRetriesPerRequest: 1 })
  const resp2 = new Redis(url ?? '', { lazyConnect: true, protocol: 2 })
  const prefixed = new Redis(url ?? '', { lazyConnect: true, keyPrefix: 'the app:' })
  const node = createClient({ url: url ?? '', disableOfflineQueue: true })
  const nodeResp2 = createClient({ url: url ?? '', RESP: 2 })
  const pool = createClientPool({ url: url ?? '' })
  if (url !== undefined) await Promise.all([node.connect(), nodeResp2.connect(), pool.connect()])
  afterAll(() => {
    for (const client of [io, resp2, prefixed]) client.disconnect()
    for (const client of [node, nodeResp2, pool]) if (client.isOpen) client.destroy()
  })

  const prefixes = new WeakMap<RevocationFeed, string>()
  const open = (client: RedisFeedClient, prefix: string): RevocationFeed => {
    const options = client === pool ? { prefix, subscriber: () => node.duplicate() } : { prefix }
    const feed = redisFeed(client, options)
    prefixes.set(feed, prefix)
    return feed
  }

  async function removeAll(feed: RevocationFeed): Promise<void> {
    const keys = await io.keys(`*${prefixes.get(feed) ?? 'none'}*`)
    if (keys.length > 0) await io.unlink(...keys)
  }

  describe.each<[string, RedisFeedClient, RedisFeedClient, string?]>([
    ['ioredis', io, io],
    ['ioredis with RESP2, then node-redis', resp2, node],
    ['node-redis', node, node],
    ['node-redis with RESP2, then ioredis', nodeResp2, io],
    ['a pool of node-redis', pool, pool],
    ['ioredis with a keyPrefix', prefixed, prefixed, 'the app:'],
  ])('over %s', (_, client, twin, keyPrefix = '') => {
    feedContract({
      describe,
      it,
      createFeed: async () => open(client, uniqueName()),
      createTwin: async (feed) => open(twin, prefixes.get(feed) ?? ''),
      plantEvent: async (feed, { seq, bytes }) => {
        const key = `${keyPrefix}{${prefixes.get(feed)}}:feed`
        const id = `${await io.hget(key, 'no')}-${seq}`
        await io.xadd(`${key}:log`, id, 'e', Buffer.from(bytes))
      },
      destroyFeed: removeAll,
    })
  })

  it('leaves the caller’s clients unchanged', () => {
    expect(io.status).toBe('ready')
    expect(node.isReady).toBe(true)
    for (const client of [io, node]) expect(client.listenerCount('error')).toBe(0)
  })
})
