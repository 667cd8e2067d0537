import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { type RedisFeedClient, redisFeed } from '../../src/feed/redis.js'
import { redisWakeups } from '../../src/feed/wakeups.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { hasRedisServer, ownServer } from './redis-server.js'
import { uniqueName } from './servers.js'

const soon = (isSo: () => boolean | Promise<boolean>) => vi.waitUntil(isSo, { timeout: 20_000 })
const available = hasRedisServer()

// A cluster of one node rejects commands that would span several nodes of a larger cluster.
describe.skipIf(!available)('the redis feed, in a cluster', async () => {
  const server = available
    ? await ownServer('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
    : undefined
  const port = server?.port ?? 0
  const plain = new Redis({ port, lazyConnect: true })
  const io = new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true })
  const node = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] })
  node.on('error', () => undefined)

  beforeAll(async () => {
    await plain.call('CLUSTER', ['ADDSLOTSRANGE', '0', '16383'])
    while (!String(await plain.call('CLUSTER', ['INFO'])).includes('cluster_state:ok'))
      await new Promise((resolve) => setTimeout(resolve, 20))
    await io.connect()
    await node.connect()
  })
  afterAll(async () => {
    io.disconnect()
    plain.disconnect()
    node.destroy()
    await server?.remove()
  })

  const prefixes = new WeakMap<RevocationFeed, string>()
  const open = (client: RedisFeedClient, prefix: string): RevocationFeed => {
    const feed = redisFeed(client, { prefix })
    prefixes.set(feed, prefix)
    return feed
  }

  /** The text between the first braces selects the node of a key. */
  async function expectOneTag(feed: RevocationFeed): Promise<void> {
    const tag = `{${prefixes.get(feed)}}:feed`
    const keys = await plain.keys('*')
    await plain.flushall()
    expect(keys.filter((key) => !key.startsWith(tag))).toEqual([])
  }

  describe.each<[string, RedisFeedClient, RedisFeedClient]>([
    ['ioredis', io, node],
    ['node-redis', node, io],
  ])('over %s', (_, client, twin) => {
    feedContract({
      describe,
      it,
      createFeed: async () => open(client, uniqueName()),
      createTwin: async (feed) => open(twin, prefixes.get(feed) ?? ''),
      destroyFeed: expectOneTag,
    })

    it('reports what an append survives', async () => {
      const feed = open(client, uniqueName())
      await feed.open(new AbortController().signal)
      expect(feed.info.durability).toBe('fsync')
    })

    it('is woken by pub/sub as well', async () => {
      const channel = uniqueName()
      const heard: number[] = []
      const stop = new AbortController()
      const over = redisWakeups(client, { channel }).subscribe((message) => {
        heard.push(message.length)
      }, stop.signal)
      await soon(() => heard.length === 1)
      await redisWakeups(twin, { channel }).publish(new Uint8Array(7))
      await soon(() => heard.length === 2)
      expect(heard).toEqual([0, 7])
      stop.abort()
      await over
    })
  })

  it('closes its connections', async () => {
    await soon(async () => {
      const clients = String(await plain.client('LIST'))
      return !/cmd=(xread|subscribe)/.test(clients)
    })
  })
})
