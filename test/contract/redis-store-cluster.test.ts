import { connect } from 'node:net'
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type RedisClient, redisStore } from '../../src/store/redis.js'
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { hasRedisServer, ownServer } from './redis-server.js'
import { uniqueName } from './servers.js'

const available = hasRedisServer()

// A cluster of one node rejects commands that would span several nodes of a larger cluster.
describe.skipIf(!available)('the redis store, in a cluster', async () => {
  const server = available
    ? await ownServer('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
    : undefined
  const port = server?.port ?? 0
  const url = `redis://127.0.0.1:${port}`
  const plain = new Redis({ port, lazyConnect: true })
  const io = new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true })
  const node = createCluster({ rootNodes: [{ url }] })
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

  const prefixes = new WeakMap<Store, string>()
  const open = (client: RedisClient, prefix: string): Store => {
    const store = redisStore(client, { prefix })
    prefixes.set(store, prefix)
    return store
  }

  /** The text between the first braces selects the node of a key. */
  async function expectOneTag(store: Store): Promise<void> {
    const tag = `{${prefixes.get(store)}}:`
    const keys = await plain.keys('*')
    await plain.flushall()
    expect(keys.filter((key) => !key.startsWith(tag))).toEqual([])
  }

  describe.each<[string, RedisClient, RedisClient]>([
    ['ioredis', io, node],
    ['node-redis', node, io],
  ])('over %s', (_, client, twin) => {
    storeContract({
      describe,
      it,
      createStore: async () => open(client, uniqueName()),
      createTwin: async (store) => open(twin, prefixes.get(store) ?? ''),
      destroyStore: expectOneTag,
    })
  })

  it('rejects a script that touches keys of two slots', async () => {
    const script = `#!lua\nreturn redis.call('GET', '{b}:schema')`
    await expect(plain.eval(script, 1, '{a}:schema')).rejects.toThrow('same slot')
  })

  it('never gives a key a time to live, and touches no key outside its prefix', async () => {
    // A bare socket, since a client may take what is reported of others for its own reply.
    const monitor = connect({ host: '127.0.0.1', port }).setEncoding('utf8')
    let report = ''
    monitor.on('data', (text) => {
      report += text
    })
    monitor.write('MONITOR\r\n')
    await vi.waitUntil(() => report.startsWith('+OK'))
    const store = open(io, 'monitored')
    await store.open()
    await store.purge({ tokens: 0, keys: 0, revocations: 0 })
    await store.listTokens({ subject: '{a}', policy: '}:b', liveAt: 1 }, { limit: 10 })
    await plain.echo('the end')
    await vi.waitUntil(() => report.includes('the end'))
    monitor.destroy()
    const touched = [...report.matchAll(/\[0 lua\] "(\w+)" "([^"]*)/g)]
      .filter(([, command]) => command !== 'INFO')
      .map(([, command, key]) => `${command} ${key}`)
    expect(touched.length).toBeGreaterThan(5)
    expect(touched.filter((line) => !/^[A-Z]+ \{monitored\}:/.test(line))).toEqual([])
    expect(touched.filter((line) => /EXPIRE|SETEX/.test(line))).toEqual([])
    for (const key of await plain.keys('*')) expect(await plain.ttl(key)).toBe(-1)
    await expectOneTag(store)
  })
})
