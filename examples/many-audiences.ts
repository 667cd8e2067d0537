// How do several APIs share an authority without accepting each other's tokens?
import assert from 'node:assert/strict'
import { createWatchword } from 'watchword'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: ['orders-api', 'stock-api'],
  policies: { service: { ttl: '30d', scopes: ['orders:*', 'stock:*'] } },
})
const request = { policy: 'service', subject: 'svc_billing', actor: 'ops@acme.example' }

// Each audience has its own keys. With several, `issue` requires the option `audience`.
const orders = await watchword.issue({
  ...request,
  audience: 'orders-api',
  scopes: ['orders:read'],
})
const stock = await watchword.issue({ ...request, audience: 'stock-api', scopes: ['stock:read'] })
assert.notEqual(orders.keyId, stock.keyId)

// A route names the audience that it serves.
const ordersRoute = watchword.require({ audience: 'orders-api', scopes: ['orders:read'] })
assert.equal(watchword.verify(orders.token, ordersRoute).ok, true)
const foreign = watchword.verify(stock.token, ordersRoute)
assert.equal(!foreign.ok && foreign.code, 'wrong_audience')
console.log('a token for stock-api at orders-api: wrong_audience')

// A binding ties a token to something that only its holder has, such as a client certificate.
const binding = 'sha256:3b5d5c3712955042212316173ccf37be'
const bound = await watchword.issue({ ...request, audience: 'orders-api', binding })
assert.equal(watchword.verify(bound.token, { binding }).ok, true)
for (const other of [undefined, 'sha256:00000000000000000000000000000000']) {
  const result = watchword.verify(bound.token, other === undefined ? {} : { binding: other })
  assert.equal(!result.ok && result.code, 'invalid')
}
console.log('a bound token without its binding, or with another one: invalid')

// A whole audience can be revoked.
await watchword.revoke({ audience: 'stock-api' }, { actor: 'ops@acme.example' })
const cut = watchword.verify(stock.token)
assert.equal(!cut.ok && cut.code, 'revoked')
assert.equal(watchword.verify(orders.token).ok, true)
console.log('audience stock-api revoked: its tokens are rejected, the others stay valid')

await watchword.close()
