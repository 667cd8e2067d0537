// How is a service that accepts tokens tested? With real tokens, a memory store and a manual clock.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createWatchword, WatchwordError } from 'watchword'
import { memoryFeed } from 'watchword/feed/memory'
import { chaosFeed, manualClock } from 'watchword/testkit'
import { createApp, createAuthority } from './testing/orders.js'

const alice = { policy: 'session', subject: 'alice', scopes: ['orders:read'], actor: 'test' }

void test('accepts a token until the millisecond in which it expires', async () => {
  const clock = manualClock(Date.UTC(2026, 0, 1))
  const watchword = await createAuthority({ clock })
  const { token } = await watchword.issue(alice)

  await clock.advance(15 * 60_000 - 1)
  assert.equal(watchword.verify(token).ok, true)
  await clock.advance(1)
  assert.deepEqual(watchword.verify(token), { ok: false, code: 'expired' })
  await watchword.close()
})

void test('returns 401, 403 and 200 over HTTP', async () => {
  const watchword = await createAuthority()
  const server = createApp(watchword).listen(0)
  await once(server, 'listening')
  const url = `http://localhost:${(server.address() as AddressInfo).port}/orders`
  const statusWith = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await fetch(url, { headers })).status
  }
  const { token } = await watchword.issue(alice)
  const without = await watchword.issue({ ...alice, scopes: [] })

  assert.equal(await statusWith(), 401)
  assert.equal(await statusWith(without.token), 403)
  assert.equal(await statusWith(token), 200)
  await watchword.revoke({ token }, { actor: 'test' })
  assert.equal(await statusWith(token), 401)
  server.close()
  await watchword.close()
})

void test('rejects every token while the feed is down, and recovers with it', async () => {
  const clock = manualClock()
  const feed = chaosFeed(memoryFeed(), 'seed 1', { clock })
  feed.calm() // no random faults: this test injects its own
  const watchword = await createAuthority({ clock, feed, maxStaleness: '5s' })
  const { token } = await watchword.issue(alice)

  feed.partition()
  await clock.advance(6000)
  assert.deepEqual(watchword.verify(token), { ok: false, code: 'stale' })
  feed.heal()
  await clock.advance(1000)
  assert.equal(watchword.verify(token).ok, true)
  await watchword.close()
})

void test('rejects an option that the library does not have', async () => {
  const policies = { session: { ttl: '15m', scopes: ['orders:*'] } }
  const options = { issuer: 'test', audience: 'test', policies, maxStalenes: '5s' }
  await assert.rejects(
    createWatchword(options),
    (error) => error instanceof WatchwordError && error.code === 'ERR_INVALID_OPTION',
  )
})
