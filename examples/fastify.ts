// How does a Fastify service accept tokens, and what do its clients see?
import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { createWatchword } from 'watchword'
import { authOf, requireToken, tokenPlugin } from 'watchword/fastify'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

const app = fastify()
// Every route requires a token; some also require scopes.
await app.register(tokenPlugin(watchword, { scopes: ['orders:read'] }))
app.get('/orders', async (request) => ({ hello: authOf(request).subject }))
const onRequest = requireToken(watchword, { scopes: ['orders:write'] })
app.post('/orders', { onRequest }, async (_, reply) => reply.code(201).send())

// The rest acts as a client.
await app.listen({ port: 0 })
const url = `http://localhost:${(app.server.address() as AddressInfo).port}/orders`
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
await app.close()
await watchword.close()
