/** Uses the feed of custom-feed.ts: a token that one authority revokes is rejected by another a moment later. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWatchword, memoryStore } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { folderFeed } from './custom-feed.js'

await ready
const folder = await mkdtemp(join(tmpdir(), 'watchword-'))
const options = {
  issuer: 'https://auth.example',
  audience: 'api',
  rootKey: exportKey(generateKey()),
  store: memoryStore(),
  policies: { job: { ttl: '1h', scopes: ['jobs:*'] } },
} as const
// Each authority has its own feed over the same folder, as separate processes would.
const one = await createWatchword({ ...options, feed: folderFeed(folder) })
const two = await createWatchword({ ...options, feed: folderFeed(folder) })

const issued = await one.issue({ policy: 'job', subject: 'svc_mail', actor: 'ops' })
assert.equal((await two.authenticate(issued.token)).ok, true)
await one.revoke({ id: issued.id }, { actor: 'ops', reason: 'decommissioned' })

const start = performance.now()
while (two.verify(issued.token).ok) await new Promise((resolve) => setTimeout(resolve, 1))
const refused = two.verify(issued.token)
assert.equal(refused.ok ? 'ok' : refused.code, 'revoked')
console.log(
  `refused by the other one ${(performance.now() - start).toFixed(0)} ms after the revocation`,
)

await Promise.all([one.close(), two.close()])
await rm(folder, { recursive: true })
