/** A Redis failover that splits the network: one node stays with the old primary, the other follows the promoted replica. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { createWatchword, memoryStore, type Watchword } from 'watchword'
import { redisFeed } from 'watchword/feed/redis'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import type { Store } from 'watchword/store'
import { redisStore } from 'watchword/store/redis'
import { hasRedisServer, type OwnServer, ownServer } from '../contract/redis-server.js'
import { around } from '../support/fleet.js'

const ACTOR = { actor: 'ops' } as const
const PROMISE_MS = 3000
const WATCHED_MS = 8000
const PREFIX = 'split'

describe.skipIf(!hasRedisServer())('a promoted Redis replica', () => {
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  async function serve(...settings: string[]): Promise<OwnServer> {
    const server = await ownServer(...settings)
    ends.push(() => server.remove())
    return server
  }

  /** A proxy to a server that can be switched to another one, as a failover does with an address. */
  async function relayTo(first: number) {
    let target = first
    const sockets = new Set<Socket>()
    const server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1')
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from)
        from.pipe(to)
        from.on('error', () => to.destroy()).on('close', () => to.destroy())
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => server.close())
    return {
      port: (server.address() as AddressInfo).port,
      leadTo(port: number) {
        target = port
        for (const socket of sockets) socket.destroy()
      },
    }
  }

  function clientOf(port: number): Redis {
    const client = new Redis({ port, maxRetriesPerRequest: 1, retryStrategy: () => 50 })
    client.on('error', () => undefined)
    ends.push(() => client.disconnect())
    return client
  }

  async function inStep(replica: Redis): Promise<void> {
    while (!(await replica.info('replication')).includes('master_link_status:up')) await sleep(50)
    await sleep(300)
  }

  it.each(['on the same servers', 'elsewhere'])(
    'accepts no revocation from a node on the old primary for longer than promised, with a store %s',
    { timeout: 120_000 },
    async (place) => {
      await ready
      const primary = await serve()
      const replica = await serve('--replicaof', '127.0.0.1', String(primary.port))
      const relay = await relayTo(primary.port)
      const rootKey = exportKey(generateKey())
      const shared = memoryStore()
      const elsewhere = (): Store => ({ ...around(shared), supports: { durable: true } })
      const start = async (node: string, port: number): Promise<Watchword> => {
        const client = clientOf(port)
        const store = place === 'elsewhere' ? elsewhere() : redisStore(client, { prefix: PREFIX })
        const watchword = await createWatchword({
          issuer: 'acme',
          audience: 'api',
          rootKey,
          node,
          store,
          feed: redisFeed(client, { prefix: PREFIX }),
          maxStaleness: '2s',
          clockTolerance: '1s',
          policies: { service: { ttl: '1d', scopes: ['*'] } },
        })
        ends.push(() => watchword.close().catch(() => undefined))
        return watchword
      }
      const a = await start('a', relay.port)
      const b = await start('b', primary.port)
      const { token } = await a.issue({ policy: 'service', subject: 'svc', scopes: [], ...ACTOR })
      await a.revoke({ subject: 'another' }, ACTOR)
      const promoted = clientOf(replica.port)
      await inStep(promoted)
      expect(b.verify(token).ok).toBe(true)

      await promoted.call('REPLICAOF', 'NO', 'ONE')
      relay.leadTo(replica.port)
      let revoked = false
      while (!revoked) {
        revoked = await a.revoke({ token }, ACTOR).then(
          () => true,
          () => sleep(200, false),
        )
      }
      const since = performance.now()
      let acceptedAt = 0
      for (let now = since; now - since < WATCHED_MS; now = performance.now()) {
        if (b.verify(token).ok) acceptedAt = now - since
        await sleep(25)
      }
      expect(acceptedAt).toBeLessThanOrEqual(PROMISE_MS)
      const { status, witness, sharedServer } = b.health()
      if (place === 'elsewhere') {
        expect({ status, witness, sharedServer }).toEqual({
          status: 'live',
          witness: 'store',
          sharedServer: false,
        })
        expect(b.verify(token)).toMatchObject({ code: 'revoked' })
      } else expect({ status, sharedServer }).toEqual({ status: 'stale', sharedServer: true })
    },
  )
})
