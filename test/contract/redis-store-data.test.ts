import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { readKeys, readRevocations, readToken, readTokens } from '../../src/store/checked.js'
import { redisStore } from '../../src/store/redis.js'
import { fixtures, HOUR, NOW } from '../../src/testkit/store/fixtures.js'
import { rowsOf, usageOf, usageRow } from '../../src/testkit/store/usage-fixtures.js'
import { auditOf, auditRow } from '../support/audit-rows.js'
import { hasRedisServer, ownServer } from './redis-server.js'

const PAGE = { limit: 100 }
const available = hasRedisServer()

describe.skipIf(!available)('the data of the redis store', async () => {
  const server = available ? await ownServer() : undefined
  const client = new Redis({ port: server?.port ?? 0, lazyConnect: true })
  const make = fixtures('data')
  const store = redisStore(client)
  const key = (name: string): string => `{watchword}:${name}`
  beforeEach(async () => {
    await client.flushall()
    await store.open()
  })
  afterAll(async () => {
    client.disconnect()
    await server?.remove()
  })

  it('is reached again after the server forgot its scripts', async () => {
    const token = make.token()
    await client.script('FLUSH')
    await store.insertTokens([token])
    await client.script('FLUSH')
    expect(await store.getToken(token.id)).toEqual(token)
    const calls = Array.from({ length: 50 }, () => store.listTokens({}, PAGE))
    await client.script('FLUSH')
    for (const page of await Promise.all(calls)) expect(page).toEqual([token])
  })

  it('of a newer library is rejected, at the start and later', async () => {
    await client.set(key('schema'), '3')
    const refused = { code: 'ERR_STORE_SCHEMA', message: expect.stringContaining('newer') }
    await expect(redisStore(client).open()).rejects.toMatchObject(refused)
    await expect(store.insertTokens([make.token()])).rejects.toMatchObject(refused)
    expect(await client.keys('*')).toEqual([key('schema')])
  })

  it('folds usage beside rows that are unreadable or lost, and ends', async () => {
    const [life, until] = [make.id(), { foldUntil: NOW + 2 * HOUR, removeUntil: 0 }]
    const rows = [0, 1, 2, 3].map(() => usageRow(make.id(), life))
    const [good, broken, lost, doubled] = rows.map(({ id }) => id) as [
      string,
      string,
      string,
      string,
    ]
    await usageOf(store).mergeRows(rows)
    await client.hset(key(`usage:${broken}`), `${NOW}:${life}`, 'broken')
    await client.del(key(`usage:${lost}`))
    await client.hset(key(`usage:${doubled}`), `${NOW}:${life}`, 'd3:[[3,1,1,1],[],[],[]]')
    await usageOf(store).purge(until)
    expect(await rowsOf(store, [good])).toEqual([rows[0]])
    const [row] = await rowsOf(store, [broken])
    expect([row?.requests, row?.others]).toEqual([0, 0])
    expect(await rowsOf(store, [lost])).toEqual([])
    expect((await rowsOf(store, [doubled]))[0]?.requests).toBe(3)
    expect(await client.keys(key('usage-of-hour:*'))).toEqual([])
    await usageOf(store).purge({ ...until, removeUntil: NOW + 48 * HOUR })
    expect(await rowsOf(store, [good, broken])).toEqual([])
  })

  it('names rows of the audit that an attacker hid, broke or deleted', async () => {
    const audit = auditOf(store)
    const rows = Array.from({ length: 7 }, () => auditRow(make, { token: make.id() }))
    await audit.write(rows)
    const leaves = rows.map(({ id }) => ({ id, hash: 'a'.repeat(64), place: 'x' }))
    expect(await audit.append(0, leaves.slice(0, 6), 'state')).toBe(true)
    const [all, bySubject, byToken, broken, lost, moved, pending] = rows.map(({ id }) => id) as [
      ...[string, string, string, string, string, string, string],
    ]
    await client.zrem(key('audits'), all)
    await client.zrem(key('audits-by-subject:user:1'), bySubject)
    // Another score moves it out of the order of ids.
    await client.zadd(key(`audits-by-token:${rows[2]?.token}`), 5, byToken)
    await client.set(key(`audit:${broken}`), 'not a hash')
    await client.del(key(`audit:${lost}`))
    await client.zadd(key('audit-leaves'), '7.5', moved)
    await client.zrem(key('audits'), pending)
    const entries = await audit.read(0, 9)
    expect(entries.map(({ id, at, row }) => [id, at, row?.subject])).toEqual([
      [all, NOW, ''],
      [bySubject, NOW, ''],
      [byToken, NOW, ''],
      [broken, undefined, undefined],
      [moved, NOW, 'user:1'],
    ])
    expect(entries.at(-1)?.index).toBe('7.5')
    expect((await audit.listPending({ limit: 9 })).map(({ subject }) => subject)).toEqual([''])
    const listed = await audit.list({}, PAGE)
    expect(listed.map(({ id }) => id)).toEqual([bySubject, byToken, broken, moved])
    await client.hset(key(`audit:${moved}`), 'at', 'soon')
    expect((await audit.list({ since: 1 }, PAGE)).map(({ id }) => id)).toContain(moved)
    const found = await audit.locate([lost, moved])
    expect(found.map(({ id }) => id)).toEqual([moved])
    expect(await audit.purge(NOW)).toBe(4)
    expect(await audit.purge(NOW)).toBe(0)
  })

  it('appends nothing if a pending row was broken, and uses no index twice if the head was removed or set back', async () => {
    const audit = auditOf(store)
    const rows = Array.from({ length: 4 }, () => auditRow(make))
    await audit.write(rows)
    const leaves = rows.map(({ id }) => ({ id, hash: 'a'.repeat(64), place: 'x' }))
    const [one, two, three, four] = leaves
    if (!one || !two || !three || !four) throw new Error('no row')
    await client.hset(key(`audit:${two.id}`), 'at', 'soon')
    await client.set(key(`audit:${three.id}`), 'not a hash')
    for (const broken of [two, three])
      expect(await audit.append(0, [one, broken], 'state')).toBe(false)
    expect(await audit.read(0, 9)).toEqual([])
    expect(await audit.append(0, [one], 'state')).toBe(true)
    await client.del(key('audit-head'))
    expect(await audit.head()).toEqual({ size: 1, state: '' })
    expect(await audit.append(0, [four], 'state')).toBe(false)
    expect(await audit.append(1, [four], 'next')).toBe(true)
    expect(await audit.head()).toEqual({ size: 2, state: 'next' })
    await client.hset(key('audit-head'), 'size', '1', 'state', 'state')
    expect(await audit.head()).toEqual({ size: 2, state: '' })
    await client.hset(key('audit-head'), 'size', 'nan')
    expect(await audit.head()).toEqual({ size: 2, state: '' })
    const places = (await audit.read(0, 9)).map(({ id, index }) => [id, index])
    expect(places).toEqual([
      [one.id, 0],
      [four.id, 1],
    ])
  })

  it('returns rows that an attacker put between two pages of the tree or before it', async () => {
    const audit = auditOf(store)
    const rows = Array.from({ length: 9 }, () => auditRow(make))
    await audit.write(rows)
    const leaves = rows.map(({ id }) => ({ id, hash: 'a'.repeat(64), place: 'x' }))
    const [same, between, before] = leaves.splice(6)
    expect(await audit.append(0, leaves, 'state')).toBe(true)
    const idsOf = async (from: number) => (await audit.read(from, 3)).map(({ id }) => id)
    const [first, , third, fourth, fifth, sixth] = leaves.map(({ id }) => id)
    expect(await idsOf(3)).toEqual([fourth, fifth, sixth])
    await client.zadd(key('audit-leaves'), 2, `${same?.id}`, '2.5', `${between?.id}`)
    expect((await idsOf(0)).at(-1)).toBe(third)
    expect(await idsOf(3)).toEqual([same?.id, between?.id, fourth])
    await client.zadd(key('audit-leaves'), -5, `${before?.id}`)
    expect((await idsOf(0)).slice(0, 2)).toEqual([before?.id, first])
    // Entries without a row take no place of a page, and hide none.
    await client.zadd(key('audit-leaves'), '1.5', 'lost', 2, 'lost, too')
    expect(await audit.read(0, 99)).toHaveLength(9)
    expect((await audit.read(1, 8)).map(({ id }) => id)).toContain(between?.id)
  })

  it('refuses a change whose row cannot be written', async () => {
    const token = make.token()
    await client.set(key('audits'), 'not a sorted set')
    await expect(store.insertTokens([token], undefined, [auditRow(make)])).rejects.toThrow()
    expect(await store.getToken(token.id)).toBeUndefined()
    const revocation = make.revocation('subject', token.subject)
    await expect(store.revoke(revocation, [auditRow(make)])).rejects.toThrow()
    expect(await store.listRevocations(PAGE)).toEqual([])
    // As the authority repeats it.
    await store.revoke(revocation)
    expect(await store.listRevocations(PAGE)).toEqual([revocation])
  })

  it('leaves no part of a row that could not be written, so that it is written later', async () => {
    const audit = auditOf(store)
    const [one, two] = [auditRow(make), auditRow(make, { subject: 'user:2' })]
    await client.set(key('audits-by-subject:user:2'), 'not a sorted set')
    const token = make.token()
    await expect(store.insertTokens([token], undefined, [one, two])).rejects.toThrow('WRONGTYPE')
    expect(await audit.list({}, PAGE)).toEqual([])
    expect(await audit.listPending({ limit: 9 })).toEqual([])
    await client.del(key('audits-by-subject:user:2'))
    await audit.write([one, two])
    expect(await audit.listPending({ limit: 9 })).toEqual([one, two])
  })

  it('that was deleted since the start is not taken for an empty store', async () => {
    const token = make.token()
    await store.insertTokens([token])
    await client.flushall()
    const refused = { code: 'ERR_STORE_SCHEMA', message: expect.stringContaining('lost') }
    await expect(store.getToken(token.id)).rejects.toMatchObject(refused)
    await expect(store.listRevocations(PAGE)).rejects.toMatchObject(refused)
    await expect(store.insertTokens([token])).rejects.toMatchObject(refused)
  })

  it('that does not parse is named, and affects no other record', async () => {
    const tokens = make.tokens(8)
    await store.insertTokens(tokens)
    const [a, b, c, d, e, f] = tokens.map(({ id }) => key(`token:${id}`))
    if (!a || !b || !c || !d || !e || !f) throw new Error('no token')
    await client.hset(a, 'expiresAt', 'soon')
    await client.hset(b, 'scopes', '{"a"')
    await client.hdel(c, 'subject', 'familyIssuedAt')
    await client.set(d, 'not a hash')
    await client.del(e)
    await client.hset(f, 'id', tokens[7]?.id ?? '', 'supersededAt', 'x')
    const broken = tokens.slice(0, 6).map(({ id }) => id)
    for (const filter of [{}, { subject: 'user:1', policy: 'job' }]) {
      const rows = await readTokens(store, filter, PAGE)
      expect(rows.map(({ id }) => id)).toEqual(tokens.map(({ id }) => id))
      expect(rows.filter(({ record }) => !record).map(({ id }) => id)).toEqual(broken)
    }
    expect((await readTokens(store, { liveAt: NOW }, PAGE)).length).toBe(8)
    for (const id of broken)
      await expect(readToken(store, id)).rejects.toMatchObject({
        code: 'ERR_STORE_CORRUPT',
        detail: `token ${id}`,
      })
    for (const id of broken.slice(3))
      await expect(store.succeed(id, make.token(), null)).rejects.toMatchObject({
        code: 'ERR_STORE_CORRUPT',
      })
    await store.recordUsage(tokens.map(({ id }) => ({ id, at: NOW })))
    await store.revoke(make.revocation('subject', 'user:1'))
    await store.revoke(make.revocation('all', ''))
    expect((await store.getToken(tokens[6]?.id ?? ''))?.lastUsedAt).toBe(NOW)
    expect(await store.listTokens({ liveAt: NOW, family: tokens[7]?.id ?? '' }, PAGE)).toEqual([])
    await client.hset(a, 'expiresAt', NOW)
    expect((await store.purge({ tokens: NOW * 2, keys: 0, revocations: 0 })).tokens).toBe(8)
    expect(await store.listTokens({}, PAGE)).toEqual([])
    expect(await store.listTokens({ subject: 'user:1' }, PAGE)).toEqual([])
  })

  it('of keys and revocations that does not parse is named too', async () => {
    const [good, bad] = [make.key(), make.key({ generation: 2 })]
    for (const record of [good, bad]) await store.insertKey(record)
    await client.del(key(`key:${bad.id}`))
    const revocations = [make.revocation('all', ''), make.revocation('token', make.id())]
    for (const revocation of revocations) await store.revoke(revocation)
    await client.set(key(`revocation:${revocations[0]?.id}`), 'not a hash')
    const corrupt = (rows: readonly { id: string; record: unknown }[]): string[] =>
      rows.filter(({ record }) => !record).map(({ id }) => id)
    expect(corrupt(await readKeys(store))).toEqual([bad.id])
    expect(corrupt(await readRevocations(store, PAGE))).toEqual([revocations[0]?.id])
  })

  it('is found by hostile text as by any other, and by no other text', async () => {
    const parts = [
      '',
      'a',
      'A',
      'a ',
      ' a',
      'a:b',
      ':',
      '1:a',
      '{a}',
      '}',
      '{watchword}:tokens',
      'é',
    ]
    const more = ['e\u0301', '\r\n', '\r\nFLUSHALL\r\n', '*', "'", '"', '\\', '\u{1F600}', '\uFFFD']
    const texts = [...parts, ...more].flatMap((text) => [`x${text}`, `${text}x`, `${text}x${text}`])
    const corpus = [...new Set([...texts, 'tokens', 'schema', 'y'.repeat(1000), '%s', '..', '007'])]
    const tokens = corpus.map((subject) => make.token({ subject, audience: subject }))
    await store.insertTokens(tokens)
    for (const token of tokens) {
      const { subject } = token
      expect(await store.listTokens({ subject }, PAGE)).toEqual([token])
      expect(await store.listTokens({ audience: subject, subject }, PAGE)).toEqual([token])
      const limit = { max: 1, now: NOW }
      expect(await store.insertTokens([make.token({ subject })], limit)).toBe('limit')
    }
    for (const subject of ['', '\u0000', '\uD83D', 'x\uD83D'])
      expect(await store.listTokens({ subject }, PAGE)).toEqual([])
    for (const { subject } of tokens.slice(0, 20))
      await store.revoke(make.revocation('subject', subject))
    const live = await store.listTokens({ liveAt: NOW }, { limit: 1000 })
    expect(live.map(({ subject }) => subject)).toEqual(corpus.slice(20))
  })

  it('is the same over the older protocol, and from a client that returns buffers', async () => {
    const token = make.token({ subject: 'J\u00F6rg \u{1F600}' })
    await store.insertTokens([token])
    const url = server?.url ?? ''
    const old = await createClient({ url, RESP: 2 }).connect()
    const buffers = await createClient({
      url,
      commandOptions: { typeMapping: { 36: Buffer } },
    }).connect()
    for (const other of [old, buffers]) {
      const twin = redisStore(other)
      await twin.open()
      expect(await twin.getToken(token.id)).toEqual(token)
      expect(await twin.listTokens({ subject: token.subject }, PAGE)).toEqual([token])
      other.destroy()
    }
  })
})
