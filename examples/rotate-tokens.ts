// How does a client exchange its token before it expires, and what happens to the old one?
import assert from 'node:assert/strict'
import { createWatchword, WatchwordError } from 'watchword'
import { manualClock } from 'watchword/testkit'

const clock = manualClock() // a real service leaves the clock out
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: {
    service: { ttl: '1h', scopes: ['orders:*'], rotateAfter: '70%', grace: '60s' },
    careful: { ttl: '1h', scopes: ['orders:*'], retireOn: 'first-use' },
  },
  clock,
})
const actor = 'ops@acme.example'
const scopes = ['orders:read']

// `rotateAt` is the time at which the holder should rotate: 70 % of the token's lifetime.
const first = await watchword.issue({ policy: 'service', subject: 'svc_billing', scopes, actor })
await clock.advance(first.rotateAt - clock.now())
const second = await watchword.rotate(first.token, { actor: 'svc_billing' })
console.log(`rotated: generation ${second.generation} of family ${second.family}`)

// If the response is lost, a retry within the grace returns the same successor.
const retried = await watchword.rotate(first.token, { actor: 'svc_billing' })
assert.equal(retried.id, second.id)
console.log('retried: the same successor')

// Requests in flight with the old token still pass, for a minute.
await clock.advance(59_999)
assert.equal(watchword.verify(first.token).ok, true)
await clock.advance(1)
const late = watchword.verify(first.token)
assert.equal(!late.ok && late.code, 'superseded')
console.log('old token after 59,999 ms: accepted; after 60,000 ms: superseded')

// Rotating the old token once more means that two parties hold it: the family is revoked.
await assert.rejects(
  watchword.rotate(first.token, { actor: 'unknown' }),
  (error) => error instanceof WatchwordError && error.code === 'ERR_TOKEN_REUSED',
)
const after = watchword.verify(second.token)
assert.equal(!after.ok && after.code, 'revoked')
console.log('old token presented to rotate again: ERR_TOKEN_REUSED, and the family is revoked')

// With `retireOn: 'first-use'` the old token stays valid until the new one is used.
const old = await watchword.issue({ policy: 'careful', subject: 'svc_mail', scopes, actor })
const fresh = await watchword.rotate(old.token, { actor: 'svc_mail' })
await clock.advance(30 * 60_000)
assert.equal(watchword.verify(old.token).ok, true)
assert.equal(watchword.verify(fresh.token).ok, true)
await clock.advance(1) // the old token is superseded right after the request, not during it
const retired = watchword.verify(old.token)
assert.equal(!retired.ok && retired.code, 'superseded')
console.log('first use of the successor: the old token is superseded')

await watchword.close()
