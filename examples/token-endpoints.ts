// How do clients rotate their own tokens, and how does the finder of a leaked token report it?
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { createWatchword } from 'watchword'
import { authOf, requireToken, tokenEndpoints } from 'watchword/express'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*', 'tokens:*'] } },
})

// Ten calls a minute for each address and endpoint. With several nodes, use the limiter's Redis or SQL store.
const limiter = new RateLimiterMemory({ points: 10, duration: 60 })
const endpoints = tokenEndpoints(watchword, {
  limit: ({ endpoint, address }) =>
    limiter.consume(`${endpoint} ${address}`).then(
      () => true,
      (refused: unknown) => {
        if (!(refused instanceof RateLimiterRes)) throw refused
        return { retryAfter: refused.msBeforeNext }
      },
    ),
})
const authorize = (_call: object, request: object) => ({ actor: authOf(request).subject })

const app = express()
app.all('/token/rotate', endpoints.rotation({ allowHttp: true })) // a real service has HTTPS
app.all('/token/leaked', endpoints.leak())
app.all(
  '/oauth/revoke',
  requireToken(watchword, { scopes: ['tokens:revoke'] }),
  endpoints.revocation({ authorize }),
)
app.all(
  '/oauth/introspect',
  requireToken(watchword, { scopes: ['tokens:read'] }),
  endpoints.introspection({ authorize }),
)

// The rest acts as the clients.
const server = app.listen(0)
await once(server, 'listening')
const url = `http://localhost:${(server.address() as AddressInfo).port}`
const actor = 'ops@acme.example'
const issue = async (subject: string, scopes: readonly string[]) =>
  (await watchword.issue({ policy: 'service', subject, scopes, actor })).token
const service = await issue('svc_mail', ['orders:read'])
const operator = await issue('ops', ['tokens:read', 'tokens:revoke'])

async function post(path: string, bearer: string, fields: Record<string, string> = {}) {
  const headers = bearer === '' ? {} : { authorization: `Bearer ${bearer}` }
  const body = new URLSearchParams(fields)
  const response = await fetch(url + path, { method: 'POST', headers, body })
  const text = await response.text()
  return { status: response.status, text, headers: response.headers }
}

// The holder exchanges its token. The token is the only credential.
const rotated = await post('/token/rotate', service)
const { access_token: token, expires_in } = JSON.parse(rotated.text)
assert.equal(rotated.status, 200)
console.log(`rotate: ${rotated.status}, the successor expires in ${expires_in} s`)

// A service that cannot verify tokens itself asks for the state of one.
const active = await post('/oauth/introspect', operator, { token })
assert.equal(JSON.parse(active.text).active, true)
console.log(`introspect: ${active.status} for ${JSON.parse(active.text).sub}`)

// A finder of the token reports it. The response does not reveal whether the token was valid.
const killed = await post('/token/leaked', '', { token })
const unknown = await post('/token/leaked', '', { token: 'v4.local.unknown' })
assert.deepEqual([killed.status, killed.text], [unknown.status, unknown.text])
const inactive = await post('/oauth/introspect', operator, { token })
assert.equal(inactive.text, '{"active":false}')
console.log(`report a leak: ${killed.status}; introspect: ${inactive.text}`)

// Authorized callers get the same response for a token that is already revoked.
const revoked = await post('/oauth/revoke', operator, { token })
const anonymous = await post('/oauth/revoke', '', { token })
assert.deepEqual([revoked.status, anonymous.status], [200, 401])
console.log(`revoke: ${revoked.status}; without credentials: ${anonymous.status}`)

// The limiter rejects further calls.
for (let i = 0; i < 8; i++) await post('/token/leaked', '', { token: 'x' })
const limited = await post('/token/leaked', '', { token: 'x' })
assert.equal(limited.status, 429)
console.log(`the eleventh report of a minute: ${limited.status}`)

server.close()
await watchword.close()
