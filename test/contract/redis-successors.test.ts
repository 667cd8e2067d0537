/**
 * Revoking a token while another node rotates it, on a real Redis: no successor stays valid on any node.
 *
 * @module
 */
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { createWatchword } from 'watchword'
import { redisFeed } from '../../src/feed/redis.js'
import { exportKey, generateKey, ready } from '../../src/paseto.js'
import { redisStore } from '../../src/store/redis.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('redis')
const POLICIES = { service: { ttl: '30d', scopes: ['orders:*'] } } as const
const ACTOR = { actor: 'ops' } as const

describe.skipIf(url === undefined)('two nodes on one Redis', () => {
  const clients: Redis[] = []
  const client = () => {
    const made = new Redis(url ?? '', { maxRetriesPerRequest: 1 })
    clients.push(made)
    return made
  }
  const prefix = uniqueName()
  afterAll(async () => {
    const [any] = clients
    const keys = (await any?.keys(`*${prefix}*`)) ?? []
    if (keys.length > 0) await any?.unlink(...keys)
    for (const each of clients) each.disconnect()
  })

  it('leave no successor valid when one rotates a token that the other revokes', async () => {
    await ready
    const rootKey = exportKey(generateKey())
    const start = (node: string) =>
      createWatchword({
        issuer: 'https://auth.example',
        audience: 'orders-api',
        rootKey,
        node,
        policies: POLICIES,
        store: redisStore(client(), { prefix }),
        feed: redisFeed(client(), { prefix }),
      })
    const [one, two] = [await start('one'), await start('two')]
    const tokens: string[] = []
    for (let i = 0; i < 20; i++) {
      const first = await one.issue({ policy: 'service', subject: `svc ${i}`, ...ACTOR })
      const rotating = one.rotate(first.token, ACTOR).catch(() => undefined)
      const target = i % 2 === 0 ? { token: first.token } : { id: first.id }
      // The odd ones begin when the rotation is in the middle of its calls.
      for (let turn = 0; turn < i % 5; turn++) await new Promise(setImmediate)
      const [successor, receipt] = await Promise.all([rotating, two.revoke(target, ACTOR)])
      expect(receipt.matched).toBeGreaterThan(0)
      tokens.push(first.token, ...(successor === undefined ? [] : [successor.token]))
    }
    const refused = () =>
      [one, two].flatMap((node) => tokens.map((token) => node.verify(token))).every(({ ok }) => !ok)
    await expect.poll(refused, { timeout: 20_000, interval: 50 }).toBe(true)
    await Promise.all([one.close(), two.close()])
  })
})
