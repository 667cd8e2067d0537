/**
 * A place of its own in Redis for one test.
 *
 * @module
 */
import { Redis } from 'ioredis'
import { serverUrl, uniqueName } from './servers.js'

/** A client, and the names of the keys of a store or a feed with this prefix. */
export interface RedisPlace {
  readonly client: Redis
  readonly prefix: string
  key(name: string): string
}

/** Calls `work` with a new prefix, and removes its keys afterwards. */
export async function inRedis(work: (place: RedisPlace) => Promise<void>): Promise<void> {
  const prefix = uniqueName()
  const client = new Redis((await serverUrl('redis')) ?? '')
  const key = (name: string) => `{${prefix}}:${name}`
  try {
    await work({ client, prefix, key })
  } finally {
    const keys = await client.keys(key('*'))
    if (keys.length > 0) await client.unlink(...keys)
    client.disconnect()
  }
}
