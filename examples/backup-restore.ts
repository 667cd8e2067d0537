// What is lost when the database is restored from a backup, and how is it recovered?
import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { createWatchword, type VerifyResult } from 'watchword'
import type { RevocationFeed } from 'watchword/feed'
import { memoryFeed } from 'watchword/feed/memory'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { sqliteStore } from 'watchword/store/sqlite'

await ready
const folder = await mkdtemp(join(tmpdir(), 'watchword-'))
const file = (name: string) => join(folder, name)
// The backup is useless without it. Keep the two in different places.
const rootKey = exportKey(generateKey())
const actor = 'ops@acme.example'
const says = (result: VerifyResult) => (result.ok ? 'ok' : result.code)

async function open(path: string, feed: RevocationFeed, key = rootKey) {
  const database = new Database(path)
  const store = sqliteStore(database)
  await store.migrate()
  const watchword = await createWatchword({
    issuer: 'https://auth.acme.example',
    audience: 'orders-api',
    rootKey: key,
    store,
    feed,
    policies: { service: { ttl: '30d', scopes: ['orders:*'] } },
  })
  return { watchword, database }
}
const issue = async (watchword: Awaited<ReturnType<typeof open>>['watchword'], subject: string) =>
  watchword.issue({ policy: 'service', subject, scopes: ['orders:read'], actor })

// A backup, then one token and one revocation that it lacks.
const first = await open(file('tokens.db'), memoryFeed())
const kept = await issue(first.watchword, 'svc_mail')
const leaked = await issue(first.watchword, 'svc_billing')
first.database.prepare('VACUUM INTO ?').run(file('backup.db')) // PostgreSQL: pg_dump, or a snapshot
const late = await issue(first.watchword, 'svc_stock')
await first.watchword.revoke({ id: leaked.id }, { actor, reason: 'found in a repository' })
// The audit log is stored elsewhere and contains what the backup lacks.
const revokedSince = [leaked.id]
await first.watchword.close()
first.database.close()

// The disk is lost, including the log. Without the root key, the backup is useless.
await copyFile(file('backup.db'), file('restored.db'))
await assert.rejects(open(file('restored.db'), memoryFeed(), exportKey(generateKey())), {
  code: 'ERR_ROOT_KEY',
})
console.log('restored with another root key: ERR_ROOT_KEY')

const second = await open(file('restored.db'), memoryFeed())
const { watchword } = second
assert.equal(says(watchword.verify(kept.token)), 'ok')
console.log('token from before the backup: ok')
// A token issued after the backup still verifies, but has no record.
assert.equal(says(watchword.verify(late.token)), 'ok')
assert.equal(await watchword.tokens.get(late.id), undefined)
const strict = await watchword.authenticate(late.token, { freshness: 'store' })
assert.equal(says(strict), 'revoked')
console.log(`token issued after the backup: ok; by freshness: 'store': ${says(strict)}`)

// The revocation that was made after the backup is lost: the revoked token is accepted again.
assert.equal(says(watchword.verify(leaked.token)), 'ok')
console.log('token revoked after the backup: ok, until it is revoked again')
for (const id of revokedSince)
  await watchword.revoke({ id }, { actor, reason: 'revoked before the restore' })
assert.equal(says(watchword.verify(leaked.token)), 'revoked')
console.log('after the revocations were repeated from the audit log: revoked')

// Without an audit log, revoke everything with one call, and issue new tokens.
await watchword.revoke({ all: true }, { actor, reason: 'restored from a backup' })
assert.equal(says(watchword.verify(kept.token)), 'revoked')
assert.equal(says(watchword.verify(late.token)), 'revoked')
const fresh = await issue(watchword, 'svc_mail')
assert.equal(says(watchword.verify(fresh.token)), 'ok')
console.log('after { all: true }: every token from before is revoked, a new one is ok')

await watchword.close()
second.database.close()
await rm(folder, { recursive: true })
