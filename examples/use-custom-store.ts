/** Uses the store of custom-store.ts: tokens and revocations are still there after a restart. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWatchword } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { jsonFileStore } from './custom-store.js'

await ready
const folder = await mkdtemp(join(tmpdir(), 'watchword-'))
const options = {
  issuer: 'https://auth.example',
  audience: 'api',
  rootKey: exportKey(generateKey()),
  policies: { job: { ttl: '1h', scopes: ['jobs:*'] } },
} as const
const open = () =>
  createWatchword({ ...options, store: jsonFileStore(join(folder, 'tokens.json')) })

const first = await open()
const kept = await first.issue({ policy: 'job', subject: 'svc_mail', actor: 'ops' })
const revoked = await first.issue({ policy: 'job', subject: 'svc_old', actor: 'ops' })
await first.revoke({ id: revoked.id }, { actor: 'ops', reason: 'decommissioned' })
await first.close()

// Represents a restarted process: the keys, the records and the revocation are still there.
const second = await open()
const [good, bad] = [second.verify(kept.token), second.verify(revoked.token)]
assert.equal(good.ok, true)
assert.equal(bad.ok ? 'ok' : bad.code, 'revoked')
console.log(`after the restart: ${kept.id} is valid, ${revoked.id} is revoked`)
await second.close()
await rm(folder, { recursive: true })
