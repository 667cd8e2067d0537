/**
 * Rows that an attacker without a key has edited in the database: how they are used, and what they cannot undo.
 */
import { Redis } from 'ioredis'
import Libsql from 'libsql'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryFeed, type RevokeTarget } from 'watchword'
import type { Store } from 'watchword/store'
import { type AuditEvent, audits } from '../../src/observe/channels.js'
import { redisStore } from '../../src/store/redis.js'
import { sqliteStore } from '../../src/store/sqlite.js'
import { closeAll, DAY, glassRoot, MINUTE, type Rig, rig, START } from '../support/harness.js'
import { serverUrl, uniqueName } from './servers.js'

const POLICIES = { user: { ttl: '1h', scopes: ['orders:*'], grace: '10m', maxLifetime: '30d' } }
const INPUT = { policy: 'user', subject: 'mallory', scopes: ['orders:read'], actor: 'ops' }
const ACTOR = { actor: 'ops' }
const OTHER = '01KDVDM4000000000000000000'

const audited: AuditEvent[] = []
const listen = (event: unknown) => audited.push(event as AuditEvent)
beforeEach(() => audits.subscribe(listen))
afterEach(async () => {
  audits.unsubscribe(listen)
  audited.length = 0
  await closeAll()
})
const tampering = () =>
  audited.filter(({ action }) => action === 'store.tampered').map(({ target, id }) => [target, id])

type Table = 'token' | 'revocation'

/** One database, shared by the store objects of several processes. */
interface Place {
  readonly name: string
  make(): Promise<{
    readonly store: () => Store
    readonly edit: (table: Table, id: string, fields: Fields) => Promise<unknown>
  }>
}
type Fields = Readonly<Record<string, string | number>>

const RENAMED: Readonly<Record<string, string>> = { before: 'before_at', at: 'revoked_at' }
const column = (field: string) =>
  RENAMED[field] ?? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const SQLITE: Place = {
  name: 'SQLite',
  async make() {
    const database = new Libsql(':memory:')
    await sqliteStore(database).migrate()
    const edit = async (table: Table, id: string, fields: Fields) => {
      const set = Object.keys(fields).map((field) => `${column(field)} = ?`)
      const text = `UPDATE watchword_${table}s SET ${set.join(', ')} WHERE id = ?`
      database.prepare(text).run(...Object.values(fields), id)
    }
    return { store: () => sqliteStore(database), edit }
  },
}

const url = await serverUrl('redis')
const client = url === undefined ? undefined : new Redis(url)
const prefixes: string[] = []
const places: Place[] = [SQLITE]
if (client !== undefined)
  places.push({
    name: 'Redis',
    async make() {
      const prefix = uniqueName()
      prefixes.push(prefix)
      const edit = (table: Table, id: string, fields: Fields) =>
        client.hset(`{${prefix}}:${table}:${id}`, fields)
      return { store: () => redisStore(client, { prefix }), edit }
    },
  })
afterAll(async () => {
  for (const prefix of prefixes) {
    const keys = (await client?.keys(`{${prefix}}*`)) ?? []
    if (keys.length > 0) await client?.unlink(...keys)
  }
  client?.disconnect()
})

describe.each(places)('in $name, an edited row', ({ make }) => {
  async function setUp() {
    const { store: newStore, edit } = await make()
    const root = glassRoot()
    const start = async (shared: Partial<Rig> = {}) => {
      // Without the server's clock, because these tests run at a different time.
      const { now: _, ...store } = newStore()
      return rig({ policies: POLICIES }, { root, store, feed: memoryFeed(), ...shared })
    }
    const one = await start()
    /** Starts another process after everything except the database was lost. */
    const restart = () => start({ clock: one.clock })
    return { ...one, edit, restart }
  }

  describe.each([
    ['subject', { subject: 'admin' }],
    ['scopes', { scopes: '["orders:*"]' }],
    ['expiresAt', { expiresAt: START + 300 * DAY }],
    ['tag', { tag: 'v4.local.AAAA' }],
    ['keyId', { keyId: `k4.lid.${'A'.repeat(44)}` }],
  ] as const)('of a token, in its %s,', (_, fields) => {
    it('is rejected by tokens.get, and left out of tokens.list under its id', async () => {
      const { watchword, edit } = await setUp()
      const { id } = await watchword.issue(INPUT)
      const other = await watchword.issue(INPUT)
      await edit('token', id, fields)
      await expect(watchword.tokens.get(id)).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
      const page = await watchword.tokens.list({})
      expect(page.items.map((each) => each.id)).toEqual([other.id])
      expect(page.corrupt).toEqual([id])
      expect(tampering()).toEqual([
        ['token', id],
        ['token', id],
      ])
    })

    it("does not prove by freshness: 'store' that the token is valid", async () => {
      const { watchword, edit } = await setUp()
      const { token, id } = await watchword.issue(INPUT)
      const needs = { freshness: 'store' } as const
      expect((await watchword.authenticate(token, needs)).ok).toBe(true)
      await edit('token', id, fields)
      await expect(watchword.authenticate(token, needs)).rejects.toMatchObject({
        code: 'ERR_STORE_CORRUPT',
      })
      expect(tampering()).toEqual([['token', id]])
      expect(watchword.verify(token).ok).toBe(true)
    })
  })

  it('of a revoked token still rejects it', async () => {
    const { watchword, edit } = await setUp()
    const { token, id } = await watchword.issue(INPUT)
    await watchword.revoke({ id }, ACTOR)
    await edit('token', id, { scopes: '["orders:*"]' })
    const result = await watchword.authenticate(token, { freshness: 'store' })
    expect(result).toMatchObject({ ok: false, code: 'revoked' })
  })

  it('of a token without a tag, written before tags existed, is listed', async () => {
    const { watchword, edit } = await setUp()
    const { id } = await watchword.issue(INPUT)
    await edit('token', id, { tag: '' })
    expect((await watchword.tokens.list({})).items).toMatchObject([{ id }])
    expect(await watchword.tokens.get(id)).toMatchObject({ id })
  })

  it('of an expired token whose key is gone is listed', async () => {
    const { watchword, edit, clock } = await setUp()
    const { id } = await watchword.issue(INPUT)
    await edit('token', id, { keyId: `k4.lid.${'A'.repeat(44)}` })
    await clock.advance(2 * 60 * MINUTE)
    expect((await watchword.tokens.list({})).items).toMatchObject([{ id }])
  })

  const TARGETS: readonly [string, (issued: { id: string; family: string }) => RevokeTarget][] = [
    ['id', ({ id }) => ({ id })],
    ['family', ({ family }) => ({ family })],
    ['subject', () => ({ subject: 'mallory' })],
    ['audience', () => ({ audience: 'orders-api' })],
    ['all', () => ({ all: true })],
  ]
  const EDITS: readonly [string, Fields][] = [
    ['another target', { value: OTHER, family: OTHER }],
    ['another kind', { kind: 'family', value: OTHER }],
    ['times that have passed', { before: 1, expiresAt: 1, at: 1 }],
    ['a tag of an unknown key', { value: OTHER, family: OTHER, tag: 'v4.local.AAAA' }],
    ['a discarded key', { kind: 'key', value: `k4.lid.${'A'.repeat(44)}`, tag: '' }],
  ]
  describe.each(TARGETS)('of a revocation by %s,', (_, targetOf) => {
    it.each(EDITS)('edited to %s, reinstates no token when the log is lost', async (_, fields) => {
      const { watchword, edit, restart, store } = await setUp()
      const issued = await watchword.issue(INPUT)
      await watchword.revoke(targetOf(issued), ACTOR)
      const [row] = await store.listRevocations({ limit: 1 })
      await edit('revocation', row?.id ?? '', fields)
      await watchword.close()
      const { watchword: next } = await restart()
      expect(next.verify(issued.token)).toMatchObject({ ok: false, code: 'revoked' })
      expect((await next.tokens.list({})).items.map(({ id }) => id)).toEqual([issued.id])
    })
  })

  it.each<[string, Fields, Fields]>([
    ['no id', { value: 'no id', family: 'no id' }, { family: 'no id' }],
    ['no family', { family: 'no id', generation: 1 }, { family: 'no id' }],
    ['another kind', { kind: 'token', value: 'mallory', family: 'mallory' }, {}],
    ['a time beyond all others', { expiresAt: 2 ** 50 }, { familyExpiresAt: 2 ** 50 }],
    ['a generation beyond all others', { generation: 2 ** 40 }, { generation: 2 ** 40 }],
    ['a long subject', { kind: 'subject', value: 'x'.repeat(5000) }, {}],
  ])('that contains %s keeps no other entry out of a new log', async (_, ofRevocation, ofToken) => {
    const { watchword, edit, restart, store, clock } = await setUp()
    const issued = await watchword.issueMany([INPUT, INPUT, INPUT])
    const [revoked, rotated, other] = issued
    if (!revoked || !rotated || !other) throw new Error('three tokens were asked for')
    await watchword.revoke({ id: revoked.id }, ACTOR)
    const second = await watchword.rotate(rotated.token, ACTOR)
    const [row] = await store.listRevocations({ limit: 1 })
    await edit('revocation', row?.id ?? '', ofRevocation)
    for (const { id } of [revoked, rotated])
      if (Object.keys(ofToken).length > 0) await edit('token', id, ofToken)
    await watchword.close()
    const { watchword: next } = await restart()
    await clock.advance(11 * MINUTE)
    expect(next.health().incidents.restored).toBeGreaterThan(0)
    for (const { token } of [revoked, rotated]) expect(next.verify(token).ok).toBe(false)
    for (const { token } of [other, second]) expect(next.verify(token).ok).toBe(true)
  })

  it('of a revocation that duplicates another one reinstates no token when the log is lost', async () => {
    const { watchword, edit, restart, store } = await setUp()
    const [kept, moved] = [await watchword.issue(INPUT), await watchword.issue(INPUT)]
    await watchword.revoke({ id: kept.id }, ACTOR)
    await watchword.revoke({ id: moved.id }, ACTOR)
    const [first, second] = await store.listRevocations({ limit: 2 })
    const { value, before, expiresAt, at } = first ?? {}
    const fields = { value, before, expiresAt, at, family: first?.family, generation: 1 } as Fields
    await edit('revocation', second?.id ?? '', fields)
    await watchword.close()
    const { watchword: next } = await restart()
    for (const { token } of [kept, moved])
      expect(next.verify(token)).toMatchObject({ ok: false, code: 'revoked' })
    expect(tampering()).toEqual([['revocation', second?.id]])
  })

  it('of a rotated token does not reinstate it when the log is lost', async () => {
    for (const fields of [
      { family: OTHER },
      { generation: 0, familyExpiresAt: START + 61 * MINUTE },
      { family: OTHER, keyId: `k4.lid.${'A'.repeat(44)}` },
    ] as readonly Fields[]) {
      const { watchword, edit, restart, clock } = await setUp()
      const first = await watchword.issue(INPUT)
      const second = await watchword.rotate(first.token, ACTOR)
      await clock.advance(MINUTE)
      const third = await watchword.rotate(second.token, ACTOR)
      await clock.advance(20 * MINUTE)
      for (const { id } of [first, second]) await edit('token', id, fields)
      await watchword.close()
      const { watchword: next } = await restart()
      for (const { token } of [first, second]) expect(next.verify(token).ok).toBe(false)
      expect(next.verify(third.token).ok).toBe(true)
      await next.close()
    }
  })
})
