// What happens to tokens that exist when policies, audiences, claims, the prefix or the issuer change?
import assert from 'node:assert/strict'
import {
  createWatchword,
  type PolicyOptions,
  type VerifyResult,
  type WatchwordOptions,
} from 'watchword'
import { memoryFeed } from 'watchword/feed/memory'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { memoryStore } from 'watchword/store/memory'
import * as z from 'zod'

await ready
const service: PolicyOptions = { ttl: '30d', scopes: ['orders:*', 'stock:*'] }
const options = {
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  rootKey: exportKey(generateKey()),
  // All authorities below share these, as the old and the new release share the database and the broker.
  store: memoryStore(),
  feed: memoryFeed(),
  policies: { service },
} satisfies WatchwordOptions
const request = { policy: 'service', subject: 'svc_billing', actor: 'ops@acme.example' }
const scopes = ['stock:read']
const says = (result: VerifyResult) => (result.ok ? 'ok' : result.code)
function shows(what: string, result: VerifyResult, expected: string): void {
  assert.equal(says(result), expected, what)
  console.log(`${what}: ${expected}`)
}

const before = await createWatchword(options)
const old = await before.issue({ ...request, scopes })

console.log('Policy: fewer scopes hold for existing tokens at once; a token keeps its lifetime.')
const narrower: PolicyOptions = { ttl: '7d', scopes: ['orders:*'], version: 2 }
const second = await createWatchword({ ...options, policies: { service: narrower } })
const lost = second.verify(old.token, { scopes })
shows('  old token, for a scope that the policy lost', lost, 'insufficient_scope')
shows('  old token, for none', second.verify(old.token), 'ok')
const strict: PolicyOptions = { ...narrower, minVersion: 2 } // only once every node has `version: 2`
const third = await createWatchword({ ...options, policies: { service: strict } })
shows('  with minVersion: 2 as well', third.verify(old.token, { scopes }), 'outdated')
const next = await second.issue({ ...request, scopes: ['orders:read'] })
shows('  new token on a node of the old release', before.verify(next.token), 'ok')

console.log('Audience: every node serves the new one before any node issues for it.')
const both = await createWatchword({ ...options, audience: ['orders-api', 'stock-api'] })
const stock = await both.issue({ ...request, audience: 'stock-api', scopes })
shows('  new audience on a node that lacks it', before.verify(stock.token), 'unknown_key')
shows('  old token after the audience was added', both.verify(old.token), 'ok')

console.log(
  'Claims: a new field is optional, or has a default, until the last old token has ended.',
)
const demanding = await createWatchword({ ...options, claims: z.object({ tenant: z.string() }) })
shows('  old token, tenant required', demanding.verify(old.token), 'claims_invalid')
const claims = z.object({ tenant: z.string().default('acme') })
const lenient = await createWatchword({ ...options, claims })
shows('  old token, tenant with a default', lenient.verify(old.token), 'ok')

console.log('Prefix: the key id selects the key, so every node accepts tokens of every brand.')
const branded = await createWatchword({ ...options, prefix: 'acme_live' })
const brand = await branded.issue({ ...request, scopes })
shows('  plain token on a node with a prefix', branded.verify(old.token), 'ok')
shows('  branded token on a node without', before.verify(brand.token), 'ok')
const renamed = await createWatchword({ ...options, prefix: 'acme_prod' })
shows('  branded token under another prefix', renamed.verify(brand.token), 'ok')

console.log(
  'Issuer: sealed into every token, so that the change needs two authorities for a while.',
)
const current = await createWatchword({ ...options, issuer: 'https://id.acme.example' })
shows('  old token under the new issuer', current.verify(old.token), 'invalid')
const either = (token: string): VerifyResult => {
  const result = current.verify(token)
  return says(result) === 'invalid' ? before.verify(token) : result
}
shows('  old token by either', either(old.token), 'ok')
const moved = await current.issue({ ...request, scopes })
shows('  new token by either', either(moved.token), 'ok')
await current.revoke({ subject: 'svc_billing' }, { actor: request.actor, waitFor: 'all' })
shows('  old token after the new authority revoked its subject', either(old.token), 'revoked')

// These authorities share one store in memory: the first to close ends it for all.
await before.close()
