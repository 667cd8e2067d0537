// How do keys change: by schedule, on demand, after a leak, and when the root key itself is replaced?
import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createWatchword, type KeyWrapper, type WatchwordOptions } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { memoryStore } from 'watchword/store/memory'
import { manualClock } from 'watchword/testkit'

const clock = manualClock() // a real service leaves the clock out
const options = {
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  store: memoryStore(),
  policies: { service: { ttl: '2h', scopes: ['orders:*'] } },
  keys: { rotateEvery: '1h' },
  clock,
} satisfies WatchwordOptions
const request = { policy: 'service', subject: 'svc_billing', actor: 'ops@acme.example' }

// A root key as text, from a secret manager: `exportKey(generateKey())`, made once.
await ready
const rootKey: string = exportKey(generateKey())
const before = await createWatchword({ ...options, rootKey })

// By schedule, without a call. The default is 30 days; this example uses an hour.
const old = await before.issue(request)
await clock.advance(70 * 60_000)
const next = await before.issue(request)
assert.notEqual(next.keyId, old.keyId)
assert.equal(before.verify(old.token).ok, true)
console.log('by schedule: a new key seals, the old one still verifies')

// On demand: published now, in use five minutes later, when every node has read it.
const [planned] = await before.keys.rotate()
assert.equal(planned?.state, 'pending')
await clock.advance(5 * 60_000)
const current = await before.issue(request)
assert.equal(current.keyId, planned?.id)
console.log('on demand: pending for five minutes, then active')

// After a leak: the key and every token that it sealed are rejected at once.
await before.keys.revoke(next.keyId, { actor: 'ops@acme.example', reason: 'found in a dump' })
const leaked = before.verify(next.token)
assert.equal(!leaked.ok && leaked.code, 'revoked')
assert.equal(before.verify(current.token).ok, true)
console.log('after a leak: tokens sealed with the key are revoked, other tokens are not')

// A root key that never leaves a KMS. This one is a stand-in; a real one calls the client of the KMS.
const secret = randomBytes(32)
const kms: KeyWrapper = {
  id: 'kms:alias/acme-tokens', // stored with each key: never reuse it for another root key
  wrap: async (paserk) => {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', secret, iv)
    const sealed = [iv, cipher.update(paserk, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return Buffer.concat(sealed).toString('base64url')
  },
  unwrap: async (wrapped) => {
    const bytes = Buffer.from(wrapped, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, 12))
    decipher.setAuthTag(bytes.subarray(-16))
    return decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')
  },
}

// Replacing the root key takes three roll-outs. First, every node can unwrap keys that the new root key wraps.
const first = await createWatchword({ ...options, rootKey, previousRootKeys: [kms] })
assert.equal(first.verify(current.token).ok, true)
// Then the new root key wraps keys, the old one can still unwrap them, and one node rewraps every stored key.
const second = await createWatchword({ ...options, rootKey: kms, previousRootKeys: [rootKey] })
const count = await second.keys.rewrap()
assert.ok(count > 0)
assert.deepEqual([...new Set(second.keys.list().map((key) => key.wrappedBy))], [kms.id])
console.log(`root key replaced: ${count} keys wrapped by ${kms.id}`)

// Last, the old root key is removed. Existing tokens stay valid.
const third = await createWatchword({ ...options, rootKey: kms })
assert.equal(third.verify(current.token).ok, true)
console.log('without the old root key: existing tokens are accepted')

// Four nodes in one process share a store in memory here: the first to close ends it for all.
await third.close()
