import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, describe, expect, it } from 'vitest'
import { type RedisClient, redisStore } from '../../src/store/redis.js'
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('redis')

describe.skipIf(url === undefined)('redis', async () => {
  const io = new Redis(url ?? '', { lazyConnect: true, maxRetriesPerRequest: 1 })
  const otherIo = new Redis(url ?? '', { lazyConnect: true, maxRetriesPerRequest: 1 })
  const node = createClient({ url: url ?? '', disableOfflineQueue: true })
  const otherNode = createClient({ url: url ?? '', disableOfflineQueue: true })
  if (url !== undefined) await Promise.all([node.connect(), otherNode.connect()])
  afterAll(() => {
    for (const client of [io, otherIo]) client.disconnect()
    for (const client of [node, otherNode]) if (client.isOpen) client.destroy()
  })

  const prefixes = new WeakMap<Store, string>()
  const open = (client: RedisClient, prefix: string): Store => {
    const store = redisStore(client, { prefix })
    prefixes.set(store, prefix)
    return store
  }

  async function removeAll(store: Store): Promise<void> {
    const pattern = `*${prefixes.get(store) ?? 'none'}*`
    let cursor = '0'
    do {
      const [next, keys] = await io.scan(cursor, 'MATCH', pattern, 'COUNT', 1000)
      if (keys.length > 0) await io.unlink(...keys)
      cursor = next
    } while (cursor !== '0')
  }

  const prefixed = new Redis(url ?? '', { lazyConnect: true, keyPrefix: 'the app:' })
  afterAll(() => prefixed.disconnect())

  describe.each<[string, RedisClient, RedisClient]>([
    ['ioredis', io, otherIo],
    ['node-redis', node, otherNode],
    ['ioredis, then node-redis', io, node],
    ['node-redis, then ioredis', node, io],
    ['ioredis with a keyPrefix', prefixed, prefixed],
  ])('over %s', (_, client, twin) => {
    storeContract({
      describe,
      it,
      createStore: async () => open(client, uniqueName()),
      createTwin: async (store) => open(twin, prefixes.get(store) ?? ''),
      destroyStore: removeAll,
    })
  })

  it('leaves the caller’s clients unchanged', () => {
    expect(io.status).toBe('ready')
    expect(node.isReady).toBe(true)
    for (const client of [node, otherNode]) expect(client.listenerCount('error')).toBe(0)
    expect(io.listenerCount('error')).toBe(0)
  })
})
