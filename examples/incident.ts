// How do you act at once on an alarm, without ending what may be legitimate?
import assert from 'node:assert/strict'
import { createWatchword, WatchwordError } from 'watchword'
import { manualClock } from 'watchword/testkit'

const clock = manualClock() // a real service leaves the clock out
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
  clock,
})
const actor = 'oncall@acme.example'
const fields = { policy: 'service', subject: 'svc_billing', actor: 'ops@acme.example' }
const suspect = await watchword.issue({ ...fields, scopes: ['orders:read', 'orders:write'] })
const write = { scopes: ['orders:write'] }
assert.equal(watchword.verify(suspect.token, write).ok, true)

// The alarm: a token is used from an unknown network. Suspend it first, for as long as you need to find out more.
const { until } = await watchword.suspend(
  { id: suspect.id },
  { actor, reason: 'used from an unknown network', for: '24h', waitFor: 'all' },
)
console.log('suspended on every node, until', until)
const refused = watchword.verify(suspect.token)
assert.equal(!refused.ok && refused.code, 'suspended')

// Rotating does not evade it, and nothing new is issued while you look.
await watchword.freeze({ issue: true }, { actor, for: '1h' })
await assert.rejects(watchword.rotate(suspect.token, { actor: 'unknown' }), { reason: 'suspended' })
await assert.rejects(
  watchword.issue(fields),
  (error) => error instanceof WatchwordError && error.code === 'ERR_FROZEN',
)

// What would a revocation stop?
const impact = await watchword.revoke({ id: suspect.id }, { actor, dryRun: true })
console.log(`a revocation would end ${impact.matched} token(s), last used at`, impact.lastUsedAt)

// It was the new data centre: lift the suspension, but take the right to write away, on trial first.
await watchword.restore({ id: suspect.id }, { actor })
await watchword.restrict({ id: suspect.id }, { actor, deny: ['*:write'], mode: 'report' })
const tried = watchword.verify(suspect.token, write)
assert.equal(tried.ok && tried.wouldRefuse, 'insufficient_scope')
console.log('on trial: the request passes, and would be refused as', tried.ok && tried.wouldRefuse)

await watchword.restrict({ id: suspect.id }, { actor, deny: ['*:write'] })
const limited = watchword.verify(suspect.token, write)
assert.equal(!limited.ok && limited.code, 'insufficient_scope')
assert.equal(watchword.verify(suspect.token, { scopes: ['orders:read'] }).ok, true)
console.log(
  'restricted:',
  (await watchword.restrictions.list()).items.length,
  'restrictions in force',
)

// A second alarm, and this time it is certain. A revocation is final, and stands above every restriction.
await watchword.revoke({ id: suspect.id }, { actor, reason: 'leaked' })
await watchword.restore({ id: suspect.id }, { actor })
const ended = watchword.verify(suspect.token)
assert.equal(!ended.ok && ended.code, 'revoked')
await watchword.unfreeze({ actor })
const next = await watchword.issue({ ...fields, scopes: ['orders:read'] })
assert.equal(watchword.verify(next.token).ok, true)
console.log('revoked, and replaced')
await watchword.close()
