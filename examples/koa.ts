// How does a Koa service accept tokens, and what do its clients see?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import Koa from 'koa'
import { createWatchword } from 'watchword'
import { authOf, requireToken } from 'watchword/koa'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

const router = new Router()
router.get('/orders', requireToken(watchword, { scopes: ['orders:read'] }), (context) => {
  context.body = { hello: authOf(context).subject }
})
router.post('/orders', requireToken(watchword, { scopes: ['orders:write'] }), (context) => {
  context.status = 201
})
const app = new Koa().use(router.routes())

// The rest acts as a client.
const server = app.listen(0)
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
