// How does a Hono service accept tokens, and what do its clients see?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createWatchword } from 'watchword'
import { requireToken } from 'watchword/hono'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

const app = new Hono()
app.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (c) => {
  return c.json({ hello: c.get('auth').subject })
})
app.post('/orders', requireToken(watchword, { scopes: ['orders:write'] }), (c) => {
  return c.body(null, 201)
})

// The rest acts as a client.
const server = serve({ fetch: app.fetch, port: 0 })
await once(server, 'listening')
const url = `http://localhost:${(server.address() as AddressInfo).port}/orders`
const actor = 'ops@acme.example'
const scopes = ['orders:read']
const { token } = await watchword.issue({ policy: 'service', subject: 'svc_mail', scopes, actor })
const headers = { authorization: `Bearer ${token}` }
const statuses: number[] = []

async function show(what: string, sent: RequestInit = {}): Promise<void> {
  const response = await fetch(url, sent)
  statuses.push(response.status)
  const challenge = response.headers.get('www-authenticate')
  console.log(`${what}: ${response.status} ${challenge ?? (await response.text())}`)
}

await show('without a token')
await show('with a token', { headers })
await show('with too few scopes', { method: 'POST', headers })
await watchword.revoke({ token }, { actor, reason: 'leaked' })
await show('after it was revoked', { headers })

assert.deepEqual(statuses, [401, 200, 403, 401])
server.close()
await watchword.close()
