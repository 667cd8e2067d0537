import { createWatchword } from 'watchword'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

const actor = 'ops@acme.example'
const { token } = await watchword.issue({
  policy: 'service',
  subject: 'svc_billing',
  scopes: ['orders:read'],
  actor,
})
console.log(token) // v4.local.…

console.log(watchword.verify(token, { scopes: ['orders:read'] })) // { ok: true, subject: … }
console.log(watchword.verify(token, { scopes: ['orders:write'] })) // insufficient_scope

await watchword.revoke({ token }, { actor, reason: 'leaked' })
console.log(watchword.verify(token)) // { ok: false, code: 'revoked' }
await watchword.close()
