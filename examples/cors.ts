// How does a page of another origin call the API, read the rotation headers, and pass its preflights?
import assert from 'node:assert/strict'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { createWatchword } from 'watchword'
import { requireToken } from 'watchword/hono'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})

const ORIGIN = 'https://app.acme.example'
const app = new Hono()
// Before the guard: a preflight has no token, and the guard applies to every method. It also has to add its headers to
// the rejections of the guard, or the page sees a network error instead of a 401.
app.use(
  cors({
    origin: ORIGIN, // one origin, or a function that checks a list
    allowHeaders: ['Authorization', 'Content-Type'],
    // A browser hides every response header that is not named here.
    exposeHeaders: ['Token-Expires', 'Token-Rotate-After', 'Token-Successor', 'WWW-Authenticate'],
    maxAge: 600,
  }),
)
app.use(requireToken(watchword, { scopes: ['orders:read'], expiryHeaders: true, rotateDue: true }))
app.get('/orders', (c) => c.json([]))

// The rest acts as the browser.
const preflight = await app.request('/orders', {
  method: 'OPTIONS',
  headers: {
    origin: ORIGIN,
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'authorization',
  },
})
assert.equal(preflight.status, 204)
assert.equal(preflight.headers.get('access-control-allow-origin'), ORIGIN)
console.log(`preflight, without a token: ${preflight.status}`)

const { token } = await watchword.issue({
  policy: 'service',
  subject: 'usr_alice',
  scopes: ['orders:read'],
  actor: 'ops@acme.example',
})
const authorization = `Bearer ${token}`
const passed = await app.request('/orders', { headers: { origin: ORIGIN, authorization } })
const exposed = (passed.headers.get('access-control-expose-headers') ?? '').toLowerCase()
assert.equal(passed.status, 200)
for (const name of ['token-expires', 'token-rotate-after']) {
  assert.ok(passed.headers.has(name) && exposed.includes(name), name)
}
console.log(`with a token: ${passed.status}, the page may read ${exposed}`)

const refused = await app.request('/orders', { headers: { origin: ORIGIN } })
assert.equal(refused.status, 401)
assert.equal(refused.headers.get('access-control-allow-origin'), ORIGIN)
assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="api"')
assert.ok(refused.headers.get('access-control-expose-headers')?.includes('WWW-Authenticate'))
console.log(`without a token: ${refused.status}, and the page may read the challenge`)

const foreign = await app.request('/orders', { headers: { origin: 'https://evil.example' } })
assert.notEqual(foreign.headers.get('access-control-allow-origin'), 'https://evil.example')
console.log('from another origin: no permission')

await watchword.close()
