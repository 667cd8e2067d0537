/**
 * Redis or Valkey: keys with a prefix of their own, through ioredis and through node-redis.
 *
 * @module
 */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { type RedisClient, redisStore } from '../../../src/store/redis.js'
import type { Store } from '../../../src/store/store.js'
import { serverUrl, uniqueName } from '../../../test/contract/servers.js'
import { type Client, type Opener, orDrop, type Shelf } from './place.js'

/** Opens one connection of each client; both see the same keys. */
export const openRedis: Opener = async () => {
  const url = await serverUrl('redis')
  if (url === undefined) return undefined
  const prefix = uniqueName()
  const io = new Redis(url, { maxRetriesPerRequest: 1 })
  const node = createClient({ url, disableOfflineQueue: true })
  io.on('error', () => {})
  node.on('error', () => {})
  const drop = async () => {
    await removeAll(io, prefix)
    io.disconnect()
    if (node.isOpen) node.destroy()
  }
  const one = `${prefix}:one`
  return orDrop(drop, async () => {
    await node.connect()
    await io.set(one, 'one')
    const ours: Client = {
      name: 'ioredis',
      store: storesOver(io, prefix),
      roundTrip: async () => (await io.get(one)) === 'one',
      rawWrite: async () => (await io.set(one, 'one')) === 'OK',
    }
    const others: Client = {
      name: 'node-redis',
      store: storesOver(node, prefix),
      roundTrip: async () => (await node.get(one)) === 'one',
      rawWrite: async () => (await node.set(one, 'one')) === 'OK',
    }
    return { title: 'Redis', clients: [ours, others], settle: async () => {}, drop }
  })
}

function storesOver(client: RedisClient, prefix: string): (shelf: Shelf) => Store {
  return (shelf) => redisStore(client, { prefix: `${prefix}.${shelf}` })
}

// In small steps, since others may be using the server.
async function removeAll(io: Redis, prefix: string): Promise<void> {
  let cursor = '0'
  do {
    const [next, keys] = await io.scan(cursor, 'MATCH', `*${prefix}*`, 'COUNT', 5000)
    if (keys.length > 0) await io.unlink(...keys)
    cursor = next
  } while (cursor !== '0')
}
