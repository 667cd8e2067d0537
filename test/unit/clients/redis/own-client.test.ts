/** The clients that an adapter creates from the caller's own: real ones of both packages, none of them connected. */
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import {
  canDuplicate,
  discard,
  duplicate,
  duplicator,
  hasEnded,
  mute,
  SILENCE_MS,
} from '../../../../src/clients/redis/own-client.js'

const NODE = { host: '127.0.0.1', port: 1 }
const made: Redis[] = []
afterEach(() => {
  for (const client of made.splice(0)) client.disconnect()
})

function ioredis(options: object = {}): Redis {
  const client = new Redis({ ...NODE, lazyConnect: true, ...options })
  made.push(client)
  return client
}

describe('a duplicate', () => {
  it('of an ioredis client neither reconnects nor pipelines, and expects replies in time', () => {
    const client = ioredis({ db: 3, commandTimeout: 5, enableAutoPipelining: true })
    const own = duplicate(client)
    made.push(own)
    expect(own).not.toBe(client)
    expect(own.status).toBe('wait')
    expect(own.options).toMatchObject({
      ...NODE,
      db: 3,
      enableAutoPipelining: false,
      socketTimeout: SILENCE_MS,
    })
    expect(own.options.commandTimeout).toBeUndefined()
    expect(own.options.retryStrategy?.(1)).toBeNull()
  })

  it('of an ioredis cluster keeps its nodes, and its connections are those of a single client', () => {
    const cluster = new Cluster([NODE], { lazyConnect: true, redisOptions: { username: 'app' } })
    const own = duplicate(cluster)
    expect(own.isCluster).toBe(true)
    expect(own.options.clusterRetryStrategy?.(1)).toBeNull()
    expect(own.options.redisOptions).toMatchObject({
      username: 'app',
      socketTimeout: SILENCE_MS,
      maxRetriesPerRequest: null,
    })
    for (const each of [cluster, own]) each.disconnect()
  })

  it('of a node-redis client keeps its socket, and does not reconnect', () => {
    const client = createClient({ socket: { ...NODE, keepAlive: false }, database: 2 })
    const own = duplicate(client)
    expect(own.isOpen).toBe(false)
    expect(own.options).toMatchObject({
      database: 2,
      disableOfflineQueue: false,
      socket: { ...NODE, keepAlive: false, socketTimeout: SILENCE_MS, reconnectStrategy: false },
    })
  })

  it('of a node-redis cluster or sentinel is one with the same settings', () => {
    const cluster = createCluster({ rootNodes: [{ socket: NODE }], minimizeConnections: true })
    const ofCluster = duplicate(cluster)
    expect(ofCluster).not.toBe(cluster)
    expect('masters' in ofCluster).toBe(true)
    const sentinel = createSentinel({ name: 'main', sentinelRootNodes: [NODE] })
    const ofSentinel = duplicate(sentinel)
    expect(ofSentinel).not.toBe(sentinel)
    expect(ofSentinel.isOpen).toBe(false)
  })

  it('is possible for clients of both packages, and not for a plain object', () => {
    expect([ioredis(), createClient(), {}].map(canDuplicate)).toEqual([true, true, false])
    const client = ioredis()
    const own = duplicator(client)?.()
    if (own !== undefined) made.push(own)
    expect([own?.status, own === client]).toEqual(['wait', false])
    expect(duplicator({})).toBeUndefined()
  })
})

describe('an own client', () => {
  it('has ended when it was discarded, in any state', async () => {
    const ofIoRedis = ioredis()
    mute(ofIoRedis)
    expect(hasEnded(ofIoRedis)).toBe(false)
    for (let times = 0; times < 2; times++) discard(ofIoRedis)
    await expect.poll(() => hasEnded(ofIoRedis)).toBe(true)
    const ofNodeRedis = createClient({ socket: NODE })
    mute(ofNodeRedis)
    expect(hasEnded(ofNodeRedis)).toBe(true)
    expect(() => discard(ofNodeRedis)).not.toThrow()
  })

  it('of an older node-redis is discarded by its method disconnect', async () => {
    let calls = 0
    const old = {
      isOpen: true,
      async disconnect() {
        calls++
        throw new Error('it has already ended')
      },
    }
    discard(old)
    expect(calls).toBe(1)
  })

  it('may lose its connection without an effect on the process', () => {
    const client = ioredis()
    mute(client)
    expect(client.emit('error', new Error('lost'))).toBe(true)
    expect(() => mute({ call: async () => null })).not.toThrow()
  })
})
