// Who did what, when and why, and how healthy is the authority?
import assert from 'node:assert/strict'
import { subscribe } from 'node:diagnostics_channel'
import { type AuditEvent, createWatchword, type Decision } from 'watchword'

// Without a listener, no message is created. No message contains a token, a key or a custom claim.
const outcomes = new Map<string, number>()
subscribe('watchword:decision', (message) => {
  const { outcome } = message as Decision
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
})
const trail: AuditEvent[] = []
subscribe('watchword:audit', (message) => {
  trail.push(message as AuditEvent)
})

const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
})
const actor = 'ops@acme.example'
const issued = await watchword.issue({
  policy: 'service',
  subject: 'svc_billing',
  scopes: ['orders:read'],
  label: 'Invoice export',
  owner: 'team:billing',
  actor,
})
watchword.verify(issued.token, { scopes: ['orders:read'] })
watchword.verify(issued.token, { scopes: ['orders:write'] })
watchword.verify('not a token')
await watchword.tokens.update(issued.id, { owner: 'team:finance' }, { actor })
await watchword.revoke({ subject: 'svc_billing' }, { actor, reason: 'left the company' })
watchword.verify(issued.token)

console.log('decisions', Object.fromEntries(outcomes))
assert.deepEqual(Object.fromEntries(outcomes), {
  ok: 1,
  insufficient_scope: 1,
  malformed: 1,
  revoked: 1,
})

for (const event of trail) console.log(`audit     ${event.action} by ${event.actor}`)
assert.deepEqual(
  trail.map((event) => event.action),
  ['key.created', 'token.issued', 'token.updated', 'revoked'],
)

// The inventory lists every token with its subject, owner and expiry, but never its text.
const { items } = await watchword.tokens.list({ owner: 'team:finance', order: 'newest' })
const [record] = items
assert.equal(record?.revokedReason, 'left the company')
console.log(`inventory ${record?.label} (…${record?.hint}), revoked by ${record?.revokedBy}`)
assert.equal(await watchword.tokens.count({ revoked: true }), 1)

// Printing an issued token shows its id.
assert.ok(!`${issued} ${JSON.stringify(issued)}`.includes(issued.token))

const { status, revocations, lag } = watchword.health()
assert.equal(status, 'live')
console.log('health   ', { status, revocations, lag })
await watchword.close()
