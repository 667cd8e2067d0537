/** The key of the head of the tree, deleted or set back in Redis. */
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { ready } from 'watchword/paseto'
import { redisStore } from 'watchword/store/redis'
import { closeAll } from '../support/harness.js'
import { headTests } from '../support/stored-head.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('redis')

describe.skipIf(url === undefined)('Redis', () => {
  const client = new Redis(url ?? '', { lazyConnect: true })
  const prefixes: string[] = []
  beforeAll(() => ready)
  afterEach(closeAll)
  afterAll(async () => {
    for (const prefix of prefixes) {
      const keys = await client.keys(`{${prefix}}:*`)
      if (keys.length > 0) await client.unlink(...keys)
    }
    client.disconnect()
  })

  headTests(async () => {
    const prefix = uniqueName()
    prefixes.push(prefix)
    const store = redisStore(client, { prefix })
    await store.open()
    const key = (name: string) => `{${prefix}}:${name}`
    return {
      store,
      read: async () => {
        const [n, state] = await client.hmget(key('audit-head'), 'size', 'state')
        return { n: Number(n), state: state ?? '' }
      },
      write: async (head) => {
        await client.del(key('audit-head'))
        if (head !== undefined)
          await client.hset(key('audit-head'), 'size', `${head.n}`, 'state', head.state)
      },
      removeRows: async (from) => {
        for (const id of await client.zrange(key('audit-leaves'), from, '+inf', 'BYSCORE')) {
          await client.zrem(key('audit-leaves'), id)
          await client.del(key(`audit:${id}`))
        }
      },
    }
  })
})
