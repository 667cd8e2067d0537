// Who changed what, and can you prove it? An attacker edits the SQLite database, and `audit.verify` names the row.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { createWatchword, memoryFeed, toJsonLines } from 'watchword'
import { exportKey, generateKey, ready } from 'watchword/paseto'
import { sqliteStore } from 'watchword/store/sqlite'

await ready
const folder = mkdtempSync(join(tmpdir(), 'watchword-audit-'))
const file = join(folder, 'tokens.db')
const store = sqliteStore(new Database(file))
await store.migrate()

// Keep these texts where the administrators of the database cannot change them, such as a bucket with object lock.
const checkpoints: string[] = []
const watchword = await createWatchword({
  issuer: 'https://auth.acme.example',
  audience: 'orders-api',
  // No token without its row: `issue` and `rotate` are refused if the audit is not kept.
  policies: { service: { ttl: '30d', scopes: ['orders:*'], audit: { required: true } } },
  audit: { checkpointEvery: '1m', onCheckpoint: (text) => checkpoints.push(text) },
  store,
  feed: memoryFeed(),
  rootKey: exportKey(generateKey()),
})

const actor = 'mallory@acme.example'
for (const subject of ['svc_billing', 'svc_reports', 'svc_shadow'])
  await watchword.issue({ policy: 'service', subject, scopes: ['orders:read'], actor })
await watchword.revoke({ subject: 'svc_reports' }, { actor: 'ops@acme.example', reason: 'unused' })

// Made every minute by itself; here at once.
const { size } = await watchword.audit.checkpoint()
console.log(`${size} rows, ${checkpoints.length} checkpoint:`)
console.log(checkpoints.at(-1)?.trim())

for await (const line of toJsonLines(watchword.audit.read({ action: 'token.issued' })))
  console.log(line.trim().slice(0, 100))
const before = await watchword.audit.verify()
console.log('before the attack:', before)
assert.equal(before.ok, true)

// Mallory has write access to the database, and puts the blame on someone else, consistently.
const attacker = new Database(file)
attacker.exec(`UPDATE watchword_audit
  SET actor = 'alice@acme.example', body = replace(body, 'mallory@', 'alice@')
  WHERE subject = 'svc_shadow'`)
const edited = await watchword.audit.verify()
console.log('an edited row:', edited.first)
assert.equal(edited.first?.what, 'edited')
assert.equal(edited.first.index, size - 2)

// Then she removes the last rows, and the rest is a correct tree again. The checkpoint says that there were more.
attacker.exec(`DELETE FROM watchword_audit WHERE idx >= ${size - 2}`)
const cut = await watchword.audit.verify({ checkpoint: checkpoints.at(-1) as string })
console.log('rows that were cut off:', cut.first)
assert.deepEqual(cut.first, { index: size - 2, id: null, what: 'missing' })

attacker.close()
await watchword.close()
rmSync(folder, { recursive: true })
