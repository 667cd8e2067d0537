// Which tokens are there, who uses them, and what would a revocation stop? Prints it, and writes a page.
import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWatchword } from 'watchword'
import { impact, minimise, renderHtml, sprawl } from 'watchword/report'

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '90d', scopes: ['orders:*'] } },
})
const actor = 'ops@acme.example'
const issue = (subject: string, owner?: string) =>
  watchword.issue({
    policy: 'service',
    subject,
    actor,
    scopes: ['orders:read', 'orders:write'],
    ...(owner === undefined ? {} : { owner }),
  })

const billing = await issue('svc_billing', 'team-billing')
for (let i = 0; i < 12; i++) await issue('svc_reports')

// A guard passes the address and the route of each request; here it is done by hand.
const caller = { address: '10.0.0.7', route: '/orders/:id' }
for (let i = 0; i < 500; i++)
  await watchword.authenticate(billing.token, { scopes: ['orders:read'] }, caller)

// The inventory, with what is wrong. `window` is how far back it looks.
const inventory = await sprawl(watchword, { window: '30d' })
console.log(`${inventory.tokens.live} live tokens`)
for (const { kind, subject, evidence, remedy } of inventory.findings.slice(0, 3))
  console.log(`${kind}: ${subject}: ${evidence}; ${remedy}`)
assert.equal(inventory.counts.too_many, 1)

// Before a revocation: who would notice?
const stops = await impact(watchword, { subject: 'svc_billing' })
console.log(`${stops.requests} requests by ${stops.callers[0]?.address} would be rejected`)
assert.equal(stops.requests, 500)

// What the token needs. It says `null` if a part of the use is not known, so that nothing is taken away by mistake.
const need = await minimise(watchword, { id: billing.id })
console.log('needed scopes:', need.proposal?.join(' ') ?? 'not known')

const folder = await mkdtemp(join(tmpdir(), 'watchword-report-'))
const file = join(folder, 'tokens.html')
// The page names subjects, owners and callers: keep it to yourself, and serve it to operators only.
await writeFile(file, renderHtml([inventory, stops, need]), { mode: 0o600 })
console.log(`a page of ${(await stat(file)).size} bytes, readable without scripts`)
await rm(folder, { recursive: true })
await watchword.close()
