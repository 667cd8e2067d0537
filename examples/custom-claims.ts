// How does a token carry custom claims, with types that the compiler knows?
import assert from 'node:assert/strict'
import { createWatchword, WatchwordError } from 'watchword'
import * as z from 'zod'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
  // Any synchronous Standard Schema works: zod, valibot, arktype.
  claims: z.object({ tenant: z.string(), plan: z.enum(['free', 'pro']).default('free') }),
})
const request = { policy: 'service', subject: 'svc_billing', actor: 'ops@acme.example' }

// `issue` validates the claims before it writes. `plan` is optional, `tenant` is required.
const { token } = await watchword.issue({ ...request, claims: { tenant: 'acme' } })
await assert.rejects(
  // @ts-expect-error: a tenant is a string
  watchword.issue({ ...request, claims: { tenant: 7 } }),
  (error) => error instanceof WatchwordError && error.code === 'ERR_CLAIMS_INVALID',
)
console.log('issue: a tenant that is not a string is rejected')

// `verify` returns claims with the schema's types and defaults.
const result = watchword.verify(token)
assert.ok(result.ok)
const { tenant, plan }: { tenant: string; plan: 'free' | 'pro' } = result.claims
assert.deepEqual({ tenant, plan }, { tenant: 'acme', plan: 'free' })
console.log(`verify: tenant ${tenant}, plan ${plan}`)

// The names of the library's own claims and of PASETO's registered claims are reserved.
await assert.rejects(
  watchword.issue({ ...request, claims: { tenant: 'acme', ...{ sub: 'root' } } }),
  (error) => error instanceof WatchwordError && error.code === 'ERR_RESERVED_CLAIM',
)
console.log('issue: a claim named `sub` is rejected')

await watchword.close()
