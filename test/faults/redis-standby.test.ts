/** Tests a caller's connection that died silently, and settings that change how a client sends. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createClient, createSentinel } from 'redis'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type RedisFeedClient, redisFeed } from '../../src/feed/redis.js'
import { redisStore } from '../../src/store/redis.js'
import { fixtures, NOW } from '../../src/testkit/store/fixtures.js'
import { hasRedisServer, ownServer } from '../contract/redis-server.js'
import { tcpProxy } from '../support/tcp-proxy.js'

const available = hasRedisServer()
const make = fixtures('standby')
const soon = (isSo: () => boolean | Promise<boolean>) => vi.waitUntil(isSo, { timeout: 25_000 })

function callWithin(ms: number) {
  return { signal: AbortSignal.timeout(ms), deadlineMs: ms }
}

/** Whether a call gets a reply in time; a late one is dropped, as in the core. */
async function responds(call: () => Promise<unknown>, ms = 600): Promise<boolean> {
  const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), ms))
  return await Promise.race([
    late,
    call().then(
      () => true,
      () => false,
    ),
  ])
}

describe.skipIf(!available)('a redis client', async () => {
  const server = available ? await ownServer('--appendfsync', 'no') : undefined
  const proxy = await tcpProxy('127.0.0.1', server?.port ?? 0)
  const ends: (() => unknown)[] = []
  afterAll(async () => {
    for (const end of ends) await end()
    await proxy.close()
    await server?.remove()
  })

  const kinds: Record<string, () => Promise<RedisFeedClient & Parameters<typeof redisStore>[0]>> = {
    ioredis: async () => {
      const client = new Redis(proxy.port, '127.0.0.1', { maxRetriesPerRequest: 1 })
      client.on('error', () => undefined)
      ends.push(() => client.disconnect())
      return client
    },
    'node-redis': async () => {
      const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` })
      client.on('error', () => undefined)
      await client.connect()
      ends.push(() => client.destroy())
      return client
    },
  }

  it.each(Object.keys(kinds))(
    'of %s whose connection is dead is replaced, and used again later',
    async (kind) => {
      const client = await kinds[kind]?.()
      if (client === undefined) throw new Error('no client')
      const prefix = `dead-${kind}`
      const [store, feed] = [redisStore(client, { prefix }), redisFeed(client, { prefix })]
      const incidents: string[] = []
      feed.observe?.((incident) => incidents.push(incident))
      await store.open()
      await feed.open(callWithin(5000).signal)
      const token = make.token()
      await store.insertTokens([token])
      proxy.halfOpen()
      await soon(() => responds(() => feed.head(callWithin(600))))
      await soon(() => responds(async () => expect(await store.getToken(token.id)).toEqual(token)))
      expect(incidents).toEqual(['connection'])
      const head = { epoch: 'epoch-of-22-characters', seq: 0, link: new Uint8Array(16), floor: 1 }
      const next = { ...head, beaconAt: NOW, bytes: new Uint8Array(9) }
      expect(await feed.append(null, [], next, callWithin(5000))).toEqual({ ok: true })
      // The caller's own connection is noticed to be lost, and made again: from then on it is used.
      proxy.heal()
      await soon(() => responds(() => feed.head(callWithin(600))))
      await soon(() => responds(() => store.getToken(token.id)))
      await feed.close()
      await store.close()
      await expect(feed.head(callWithin(600))).rejects.toThrow('closed')
      await expect(store.getToken(token.id)).rejects.toThrow('closed')
    },
  )

  it('that pipelines automatically works for store and feed', async () => {
    const client = new Redis(server?.port ?? 0, '127.0.0.1', { enableAutoPipelining: true })
    ends.push(() => client.disconnect())
    const prefix = 'pipelines'
    const [store, feed] = [redisStore(client, { prefix }), redisFeed(client, { prefix })]
    await store.open()
    await feed.open(callWithin(5000).signal)
    const [token, head] = await Promise.all([
      store.insertTokens([make.token()]),
      feed.head(callWithin(5000)),
    ])
    expect([token, head]).toEqual(['inserted', null])
    await client.set('{pipelines}:feed', 'text')
    await expect(feed.head(callWithin(5000))).rejects.toMatchObject({
      code: 'ERR_FEED_UNAVAILABLE',
    })
  })

  it('of createSentinel works for store and feed, with pushes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'watchword-sentinel-'))
    const conf = join(folder, 'sentinel.conf')
    const port = await freePort()
    writeFileSync(
      conf,
      `port ${port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${server?.port} 1\n`,
    )
    const child = spawn('redis-server', [conf, '--sentinel'], { stdio: 'ignore' })
    ends.push(() => {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
    const sentinel = createSentinel({
      name: 'main',
      sentinelRootNodes: [{ host: '127.0.0.1', port }],
    })
    sentinel.on('error', () => undefined)
    await soon(() =>
      sentinel.connect().then(
        () => true,
        () => false,
      ),
    )
    ends.push(() => sentinel.destroy())
    const prefix = 'sentinel'
    const [store, feed] = [redisStore(sentinel, { prefix }), redisFeed(sentinel, { prefix })]
    await store.open()
    await feed.open(callWithin(5000).signal)
    const token = make.token()
    await store.insertTokens([token])
    expect(await store.getToken(token.id)).toEqual(token)
    const position = { epoch: '', seq: 0, link: new Uint8Array(16) }
    let wakes = 0
    const stop = new AbortController()
    const watching = feed.watch?.(position, () => wakes++, stop.signal)
    const head = { epoch: 'epoch-of-22-characters', seq: 1, link: new Uint8Array(16), floor: 1 }
    const next = { ...head, beaconAt: NOW, bytes: new Uint8Array(9) }
    const events = [{ seq: 1, bytes: new Uint8Array(5) }]
    expect(await feed.append(null, events, next, callWithin(5000))).toEqual({ ok: true })
    await soon(() => wakes > 0)
    stop.abort()
    await watching
    await feed.close()
    await store.close()
  })
})

async function freePort(): Promise<number> {
  const probe = await tcpProxy('127.0.0.1', 9)
  await probe.close()
  return probe.port
}
