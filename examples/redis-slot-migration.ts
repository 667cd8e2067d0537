// What happens to tokens while Redis Cluster moves the slot of the store and the feed to another server?
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { createWatchword, WatchwordError } from 'watchword'
import { redisFeed } from 'watchword/feed/redis'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { redisStore } from 'watchword/store/redis'
import { type ClusterNode, hasRedisServer, startCluster } from './redis-slot-migration/cluster.js'

if (hasRedisServer()) {
  const cluster = await startCluster()
  try {
    await main(cluster.nodes)
  } finally {
    await cluster.stop()
  }
} else {
  console.log('redis-server is not installed: nothing was moved (apt-get install redis-server)')
}

/** Moves one slot by the steps of `redis-cli --cluster reshard`, one key at a time. */
async function moveSlot(slot: number, from: ClusterNode, to: ClusterNode): Promise<number> {
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  let moved = 0
  for (;;) {
    const [key] = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
    if (key === undefined) break
    await from.command('MIGRATE', '127.0.0.1', to.port, key, 0, 5000)
    moved++
    await sleep(5) // long enough for calls to meet keys on both sides
  }
  await to.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
  await from.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
  return moved
}

async function main([from, to]: readonly [ClusterNode, ClusterNode]): Promise<void> {
  await ready
  const redis = new Cluster([{ host: '127.0.0.1', port: from.port }])
  redis.on('error', () => {})
  const watchword = await createWatchword({
    issuer: 'https://auth.acme.example',
    audience: 'orders-api',
    rootKey: exportKey(generateKey()),
    // Every key of a prefix has one hash tag, and so one slot: `{orders}:…`.
    store: redisStore(redis, { prefix: 'orders' }),
    feed: redisFeed(redis, { prefix: 'orders' }),
    policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
    // Longer than the move: while the keys are on both servers, a node may not reach its feed.
    maxStaleness: '1m',
  })
  const request = { policy: 'service', subject: 'svc_billing', actor: 'ops@acme.example' }
  const kept = await watchword.issue(request)
  for (let i = 0; i < 30; i++) await watchword.issue(request)

  // Calls continue during the move. An outage rejects with an error code, and a retry is safe.
  let over = false
  let retries = 0
  let rejected = 0
  async function retried<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        const code = error instanceof WatchwordError ? error.code : undefined
        if (!/UNAVAILABLE|UNCERTAIN/.test(code ?? '')) throw error
        retries++
        await sleep(50)
      }
    }
  }
  async function work(): Promise<string[]> {
    const revoked: string[] = []
    while (!over) {
      const { token } = await retried(() => watchword.issue(request))
      await retried(() => watchword.revoke({ token }, { actor: request.actor }))
      revoked.push(token)
    }
    return revoked
  }
  async function verifying(): Promise<number> {
    let count = 0
    for (; !over; count++) {
      if (!watchword.verify(kept.token).ok) rejected++
      await sleep(1)
    }
    return count
  }

  const slot = Number(await from.command('CLUSTER', 'KEYSLOT', '{orders}'))
  const working = [work(), work()]
  const verified = verifying()
  const moved = await moveSlot(slot, from, to)
  await sleep(500)
  over = true
  const revoked = (await Promise.all(working)).flat()
  console.log(`slot ${slot}: ${moved} keys moved to the other server`)
  console.log(`verify: ${await verified} calls, ${rejected} rejected`)
  console.log(`issue and revoke: ${2 * revoked.length} calls, ${retries} retried`)

  // Revocations made while the keys were on both servers are kept.
  const records = await Promise.all(revoked.map((token) => watchword.authenticate(token)))
  assert.equal(records.filter(({ ok }) => ok).length, 0)
  assert.equal(rejected, 0)
  assert.equal((await watchword.authenticate(kept.token, { freshness: 'store' })).ok, true)
  assert.equal(await from.command('CLUSTER', 'COUNTKEYSINSLOT', slot), 0)
  console.log('every token that was revoked during the move is rejected')
  await watchword.close()
  redis.disconnect()
}
