import Libsql from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RECORD_FIELDS } from '../../../src/keys/record-tags.js'
import { type AuditEvent, audits } from '../../../src/observe/channels.js'
import { sqliteStore } from '../../../src/store/sqlite.js'
import { closeAll, glassRoot, type Rig, rig, START } from '../../support/harness.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const INPUT = { policy: 'user', subject: 'mallory', scopes: ['orders:read'], actor: 'ops' }
const POLICIES = {
  user: { ttl: '1h', scopes: ['orders:*'], grace: '1m', maxLifetime: '30d' },
  admin: { ttl: '30d', scopes: ['*'], grace: '1h', maxLifetime: '365d' },
} as const

const audited: AuditEvent[] = []
const listen = (event: unknown) => audited.push(event as AuditEvent)
beforeEach(() => audits.subscribe(listen))
afterEach(async () => {
  audits.unsubscribe(listen)
  audited.length = 0
  await closeAll()
})

const tampering = () => audited.filter(({ action }) => action === 'store.tampered')

interface Attack extends Rig {
  readonly database: InstanceType<typeof Libsql>
  write(sql: string, ...values: unknown[]): void
}

async function attack(shared: Partial<Rig> = {}, given?: Attack['database']): Promise<Attack> {
  const database = given ?? new Libsql(':memory:')
  // Without the server's clock, because these tests run at a different time.
  const { now: _, ...store } = sqliteStore(database)
  await store.migrate()
  const setup = await rig({ policies: POLICIES }, { ...shared, store })
  const write = (sql: string, ...values: unknown[]) => void database.prepare(sql).run(...values)
  return { ...setup, database, write }
}

/** What an attacker would write to gain access, for each column that never changes. */
const EDITS: Readonly<Record<(typeof RECORD_FIELDS)[number], [column: string, value: unknown]>> = {
  id: ['id', '01KDVDM4000000000000000000'],
  family: ['family', '01KDVDM4000000000000000000'],
  generation: ['generation', 7],
  predecessor: ['predecessor', '01KDVDM4000000000000000000'],
  subject: ['subject', 'admin'],
  audience: ['audience', 'another'],
  policy: ['policy', 'admin'],
  policyVersion: ['policy_version', 9],
  scopes: ['scopes', '["orders:*"]'],
  keyId: ['key_id', `k4.lid.${'A'.repeat(44)}`],
  issuedAt: ['issued_at', START + MINUTE],
  notBefore: ['not_before', START - DAY],
  expiresAt: ['expires_at', START + 300 * DAY],
  familyIssuedAt: ['family_issued_at', START + 300 * DAY],
  familyExpiresAt: ['family_expires_at', START + 300 * DAY],
  issuedBy: ['issued_by', 'the board'],
  ttl: ['ttl', 300 * DAY],
  rotatable: ['rotatable', 0],
}

describe('a row of a token', () => {
  it.each(RECORD_FIELDS)('is rejected by rotation after its %s was edited', async (field) => {
    const { watchword, write } = await attack()
    const { token, id } = await watchword.issue(INPUT)
    const [column, value] = EDITS[field]
    write(`UPDATE watchword_tokens SET ${column} = ? WHERE id = ?`, value, id)
    const rotated = watchword.rotate(token, { actor: 'mallory' })
    const code =
      field === 'id'
        ? 'ERR_TOKEN_UNKNOWN'
        : /ERR_STORE_CORRUPT|ERR_NO_SIGNING_KEY|ERR_NOT_ROTATABLE/
    await expect(rotated).rejects.toMatchObject({ code: expect.stringMatching(code) })
    expect(watchword.verify(token).ok).toBe(true)
  })

  it('is rejected and reported when it claims to be rotatable against its tag', async () => {
    const { watchword, write } = await attack()
    const { token, id } = await watchword.issue({ ...INPUT, rotatable: false })
    write('UPDATE watchword_tokens SET rotatable = 1 WHERE id = ?', id)
    await expect(watchword.rotate(token, { actor: 'mallory' })).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
      detail: `token ${id}`,
    })
    expect(tampering()).toMatchObject([{ id, target: 'token' }])
  })

  it('is rejected with the tag of another row, and without a tag', async () => {
    const { watchword, write } = await attack()
    const low = await watchword.issue(INPUT)
    const high = await watchword.issue({ ...INPUT, policy: 'admin', subject: 'admin' })
    for (const tag of [
      `(SELECT tag FROM watchword_tokens WHERE id = '${high.id}')`,
      "''",
      'NULL',
    ]) {
      write(`UPDATE watchword_tokens SET tag = ${tag} WHERE id = ?`, low.id)
      await expect(watchword.rotate(low.token, { actor: 'mallory' })).rejects.toMatchObject({
        code: 'ERR_STORE_CORRUPT',
      })
    }
  })

  it('is rejected when every column but the id comes from another row', async () => {
    const { watchword, write } = await attack()
    const low = await watchword.issue(INPUT)
    const high = await watchword.issue({ ...INPUT, policy: 'admin', subject: 'admin' })
    write('DELETE FROM watchword_tokens WHERE id = ?', low.id)
    write('UPDATE watchword_tokens SET id = ? WHERE id = ?', low.id, high.id)
    await expect(watchword.rotate(low.token, { actor: 'mallory' })).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
    })
  })

  it('does not give a rotated token a second successor, within its grace or after it', async () => {
    const { watchword, write, clock } = await attack()
    const first = await watchword.issue(INPUT)
    const second = await watchword.rotate(first.token, { actor: 'holder' })
    const forget = () =>
      write(
        'UPDATE watchword_tokens SET successor = NULL, superseded_at = NULL WHERE id = ?',
        first.id,
      )
    forget()
    for (const wait of [0, 5 * MINUTE]) {
      await clock.advance(wait)
      const rotated = watchword.rotate(first.token, { actor: 'mallory' })
      await expect(rotated).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
    }
    expect(tampering()).toHaveLength(2)
    expect(watchword.verify(second.token).ok).toBe(true)
  })

  it('still reveals reuse of a token whose end was moved', async () => {
    const { watchword, write, clock } = await attack()
    const first = await watchword.issue(INPUT)
    const second = await watchword.rotate(first.token, { actor: 'holder' })
    write('UPDATE watchword_tokens SET superseded_at = ? WHERE id = ?', START + 30 * DAY, first.id)
    await clock.advance(5 * MINUTE)
    const rotated = watchword.rotate(first.token, { actor: 'mallory' })
    await expect(rotated).rejects.toMatchObject({ code: 'ERR_TOKEN_REUSED' })
    expect(watchword.verify(second.token)).toMatchObject({ code: 'revoked' })
  })

  it('has a tag distinct from that of another row, even when a prototype defines toJSON', async () => {
    const { watchword, write } = await attack()
    const toJSON = { value: () => 'x', configurable: true }
    Object.defineProperty(Object.prototype, 'toJSON', toJSON)
    try {
      const { token, id } = await watchword.issue(INPUT)
      expect((await watchword.rotate(token, { actor: 'holder' })).scopes).toEqual(INPUT.scopes)
      write('UPDATE watchword_tokens SET successor = NULL, ttl = ? WHERE id = ?', 30 * DAY, id)
      const rotated = watchword.rotate(token, { actor: 'mallory' })
      await expect(rotated).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
    } finally {
      Reflect.deleteProperty(Object.prototype, 'toJSON')
    }
  })

  it('does not lead to the successor of another token', async () => {
    const { watchword, write } = await attack()
    const low = await watchword.issue(INPUT)
    const high = await watchword.issue({ ...INPUT, policy: 'admin', subject: 'admin' })
    const next = await watchword.rotate(high.token, { actor: 'admin' })
    write('UPDATE watchword_tokens SET successor = ? WHERE id = ?', next.id, low.id)
    await expect(watchword.rotate(low.token, { actor: 'mallory' })).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
    })
    expect(tampering()).toHaveLength(1)
  })

  it('does not widen its successor when the successor was edited', async () => {
    const { watchword, write } = await attack()
    const first = await watchword.issue(INPUT)
    const next = await watchword.rotate(first.token, { actor: 'mallory' })
    write("UPDATE watchword_tokens SET subject = 'admin', scopes = '[\"*\"]' WHERE id = ?", next.id)
    await expect(watchword.rotate(first.token, { actor: 'mallory' })).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
    })
  })

  it('does not shorten a revocation by id when its expiry was edited', async () => {
    const { watchword, write, store } = await attack()
    const { id, expiresAt } = await watchword.issue(INPUT)
    write('UPDATE watchword_tokens SET expires_at = ? WHERE id = ?', START + 1, id)
    await watchword.revoke({ id }, { actor: 'ops' })
    const [kept] = await store.listRevocations({ limit: 9 })
    expect(kept?.expiresAt).toBeGreaterThanOrEqual(expiresAt)
  })

  it('is rejected by rotation and still verified when it was written before tags existed', async () => {
    const { watchword, write } = await attack()
    const { token, id } = await watchword.issue(INPUT)
    write('UPDATE watchword_tokens SET tag = NULL, ttl = NULL, rotatable = NULL WHERE id = ?', id)
    expect(await watchword.tokens.get(id)).toMatchObject({ rotatable: true })
    await expect(watchword.rotate(token, { actor: 'ops' })).rejects.toMatchObject({
      code: 'ERR_STORE_CORRUPT',
      message: expect.stringContaining('before tags existed'),
    })
    expect(watchword.verify(token).ok).toBe(true)
  })
})

describe('a row of a key', () => {
  const COLUMNS = [
    ['created_at', START - DAY],
    ['activates_at', START - DAY],
    ['retires_at', START + 900 * DAY],
    ['expires_at', START + 900 * DAY],
    ['generation', 99],
    ['tag', ''],
  ] as const

  it.each(COLUMNS)(
    'is not used by a node that reads it after its %s was edited',
    async (column, value) => {
      const root = glassRoot()
      const one = await attack({ root })
      const { token, keyId } = await one.watchword.issue(INPUT)
      one.write(`UPDATE watchword_keys SET ${column} = ? WHERE id = ?`, value, keyId)
      const two = await attack({ root, clock: one.clock, feed: one.feed }, one.database)
      expect(two.watchword.verify(token)).toMatchObject({ ok: false, code: 'unknown_key' })
      // Each node that reads the row reports it once.
      expect([...new Set(tampering().map((event) => event.keyId))]).toEqual([keyId])
      const fresh = await two.watchword.issue(INPUT)
      expect(fresh.keyId).not.toBe(keyId)
      expect(two.watchword.verify(fresh.token).ok).toBe(true)
    },
  )

  it('keeps its proved times on a node that has loaded it, even if the row is edited later', async () => {
    const { watchword, write, clock } = await attack()
    const { token, keyId } = await watchword.issue(INPUT)
    write('UPDATE watchword_keys SET expires_at = ? WHERE id = ?', START - 1, keyId)
    await clock.advance(5 * MINUTE)
    await watchword.keys.rewrap()
    expect(watchword.verify(token).ok).toBe(true)
    expect(watchword.keys.list().find(({ id }) => id === keyId)?.expiresAt).toBeGreaterThan(START)
  })
})
