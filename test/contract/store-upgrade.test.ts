/** Newer versions of the schema beside processes of older ones, whose statements are frozen in the fixtures. */
import { afterAll, describe, expect, it } from 'vitest'
import type { AuditRow, AuditStore } from '../../src/store/audit.js'
import { redisStore } from '../../src/store/redis.js'
import { fixtures, HOUR, NOW } from '../../src/testkit/store/fixtures.js'
import {
  allRegisters,
  registerOf,
  revisionAfter,
  write,
} from '../../src/testkit/store/restriction-fixtures.js'
import { rowsOf, usageLife, usageOf, usageRow } from '../../src/testkit/store/usage-fixtures.js'
import { auditRow } from '../support/audit-rows.js'
import { usageOfHour } from '../support/version-four.js'
import { detailsOf, listOf, purgeOf } from '../support/version-three.js'
import { insertOf, oldRecordOf, revocationOf, rotationOf } from '../support/version-two.js'
import { inRedis } from './redis-place.js'
import { serverUrl } from './servers.js'
import { type Place, places } from './sql-places.js'

const redisUrl = await serverUrl('redis')
const DETAILS = { label: 'a', owner: 'team', purpose: 'b', detailsTag: 'v4.local.x' }
const NO_DETAILS = { label: null, owner: null, purpose: null, hint: null, detailsTag: '' }

const made: Place[] = []
afterAll(async () => {
  for (const { remove } of made) await remove()
})

describe.each(places)('%s, migrated while a process of version 2 runs', (name, makePlace) => {
  async function migrated() {
    const place = await makePlace()
    made.push(place)
    const { store, run, versionTwo } = place
    for (const statement of versionTwo) await run(statement)
    const make = fixtures(`upgrade ${name}`)
    const early = make.token()
    await run(insertOf(oldRecordOf(early)))
    await store.migrate()
    await store.open()
    return { store, run, make, early }
  }

  it('reads the rows from before the migration as tokens without details', async () => {
    const { store, early } = await migrated()
    expect(await store.getToken(early.id)).toEqual({ ...early, ...NO_DETAILS })
    expect(await store.listTokens({ owner: 'team' }, { limit: 9 })).toEqual([])
    expect(await store.countTokens({ issuedBy: early.issuedBy })).toBe(1)
  })

  it('accepts what the old process goes on writing', async () => {
    const { store, run, make, early } = await migrated()
    const late = make.token()
    await run(insertOf(oldRecordOf(late)))
    const successor = make.successor(early)
    for (const statement of rotationOf(early.id, oldRecordOf(successor), NOW + HOUR / 2))
      await run(statement)
    const linked = { ...early, successor: successor.id, supersededAt: NOW + HOUR / 2 }
    const newest = await store.listTokens({}, { limit: 9, order: 'newest' })
    expect(newest).toEqual([successor, late, linked])
    expect(await store.succeed(early.id, make.successor(early), NOW)).toEqual({
      outcome: 'already',
      predecessor: linked,
      successor,
    })
    expect(await store.succeed(late.id, make.successor(late), NOW)).toEqual({
      outcome: 'succeeded',
    })
    await run(revocationOf(early.family, NOW))
    expect(await store.countTokens({ revoked: true })).toBe(2)
  })

  it('gives a row of the old process details, which the old process keeps', async () => {
    const { store, run, make, early } = await migrated()
    expect(await store.updateDetails(early.id, 'another', DETAILS)).toBe(false)
    expect(await store.updateDetails(early.id, '', DETAILS)).toBe(true)
    const next = make.successor({ ...early, ...DETAILS })
    for (const statement of rotationOf(early.id, oldRecordOf(next), NOW)) await run(statement)
    await run(revocationOf(early.family, NOW))
    expect(await store.getToken(early.id)).toMatchObject({ ...DETAILS, revokedBy: 'old' })
    // It knows no details, so its successor has none until they are set again.
    expect(await store.getToken(next.id)).toMatchObject(NO_DETAILS)
    expect(await store.updateDetails(next.id, '', DETAILS)).toBe(true)
    expect(await store.countTokens({ owner: 'team' })).toBe(2)
  })
})

describe.each(places)('%s, migrated while a process of version 3 runs', (name, makePlace) => {
  it('keeps usage, while the old process goes on writing, listing and purging tokens', async () => {
    const place = await makePlace()
    made.push(place)
    const { store, run, versionThree } = place
    for (const statement of versionThree) await run(statement)
    const make = fixtures(`usage beside version 3, ${name}`)
    const [early, late, past] = [make.token(), make.token(), make.token({ expiresAt: NOW })]
    for (const record of [early, past]) await run(insertOf(oldRecordOf(record)))
    await store.migrate()
    await store.open()
    const rows = [early, past].map(({ id }) => usageRow(id, make.id()))
    const life = usageLife(make.id())
    await usageOf(store).mergeRows(rows)
    await usageOf(store).mergeLife(life)
    await run(insertOf(oldRecordOf(late)))
    await run(detailsOf(early.id, 'team', 'v4.local.x'))
    await run(listOf('team'))
    await run(purgeOf(NOW))
    const details = { ...early, owner: 'team', detailsTag: 'v4.local.x' }
    expect(await store.listTokens({}, { limit: 9 })).toEqual([details, late])
    expect(await store.listTokens({ owner: 'team' }, { limit: 9 })).toEqual([details])
    const ids = rows.map(({ id }) => id)
    expect(await rowsOf(store, ids)).toEqual(rows)
    await usageOf(store).purge({ foldUntil: NOW + HOUR, removeUntil: 0 })
    expect(await rowsOf(store, ids)).toEqual(rows)
    expect(await usageOf(store).listLives(0)).toEqual([life])
    expect(await store.succeed(late.id, make.successor(late), NOW)).toEqual({
      outcome: 'succeeded',
    })
  })

  it('adds tables of its own, and changes none of the others', async () => {
    const place = await makePlace()
    made.push(place)
    expect(place.versionFour.length).toBeGreaterThan(3)
    for (const statement of place.versionFour) expect(statement).toMatch(adding('usage'))
  })
})

describe.each(places)('%s, migrated while a process of version 4 runs', (name, makePlace) => {
  it('keeps the audit of its own changes, while the old process goes on without one', async () => {
    const place = await makePlace()
    made.push(place)
    const { store, other, run, versionThree, versionFour } = place
    for (const statement of [...versionThree, ...versionFour]) await run(statement)
    await run('INSERT INTO watchword_schema (version) VALUES (4)')
    const make = fixtures(`audit beside version 4, ${name}`)
    const [early, late, past] = [make.token(), make.token(), make.token({ expiresAt: NOW })]
    const life = make.id()
    for (const record of [early, past]) await run(insertOf(oldRecordOf(record)))
    await run(usageOfHour(early.id, life, NOW - HOUR, 7))
    await store.migrate()
    await store.open()
    const audit = store.audit as AuditStore
    expect(await audit.head()).toEqual({ size: 0, state: '' })
    const rows = Array.from({ length: 3 }, () => auditRow(make))
    const [one, two, three] = rows as [AuditRow, AuditRow, AuditRow]
    await store.insertTokens([late], undefined, [one])
    // The old process changes rows of both, without rows of the audit.
    await run(detailsOf(early.id, 'team', 'v4.local.x'))
    const successor = make.successor(early)
    for (const statement of rotationOf(early.id, oldRecordOf(successor), NOW + HOUR / 2))
      await run(statement)
    await run(revocationOf(late.family, NOW))
    await run(usageOfHour(late.id, life, NOW, 3))
    await run(purgeOf(NOW))
    expect(await store.succeed(early.id, make.successor(early), NOW, [two])).toMatchObject({
      outcome: 'already',
    })
    expect(await store.revoke(make.revocation('family', early.family), [three])).toBeDefined()
    const ids = [one.id, three.id].sort()
    const leaves = ids.map((id) => ({ id, hash: 'a'.repeat(64), place: `place of ${id}` }))
    expect(await (other.audit as AuditStore).append(0, leaves, 'state')).toBe(true)
    const kept = await audit.read(0, 9)
    expect(kept.map(({ id, index }) => [id, index])).toEqual(ids.map((id, i) => [id, i]))
    expect(await audit.listPending({ limit: 9 })).toEqual([])
    const used = await rowsOf(store, [early.id, late.id])
    expect(used.map(({ requests }) => requests).sort()).toEqual([3, 7])
  })

  it('adds tables of its own, and changes none of the others', async () => {
    const place = await makePlace()
    made.push(place)
    expect(place.versionFive.length).toBeGreaterThan(2)
    for (const statement of place.versionFive) expect(statement).toMatch(adding('audit'))
  })
})

describe.each(places)('%s, migrated while a process of version 5 runs', (name, makePlace) => {
  it('keeps restrictions, while the old process goes on changing the same database', async () => {
    const place = await makePlace()
    made.push(place)
    const { store, other, run, versionThree, versionFour, versionFive } = place
    for (const statement of [...versionThree, ...versionFour, ...versionFive]) await run(statement)
    await run('INSERT INTO watchword_schema (version) VALUES (4), (5)')
    const make = fixtures(`restrictions beside version 5, ${name}`)
    const [early, past] = [make.token(), make.token({ expiresAt: NOW })]
    for (const record of [early, past]) await run(insertOf(oldRecordOf(record)))
    await store.migrate()
    await store.open()
    const { cursor } = await store.changes(null, 9)
    // The positions of an old process end before those of registers.
    const oldCursor = cursor.split('/').slice(0, 2).join('/')
    const { family, generation } = early
    const first = registerOf('token', early.id, { family, generation })
    const lifted = revisionAfter(first)
    const audit = auditRow(make)
    await write(store, first, [audit])
    for (const statement of rotationOf(early.id, oldRecordOf(make.successor(early)), NOW))
      await run(statement)
    await run(revocationOf(early.family, NOW))
    await run(purgeOf(NOW))
    await write(other, lifted)
    for (const after of [cursor, oldCursor])
      expect((await store.changes(after, 9)).restrictions).toEqual([lifted])
    expect(await allRegisters(other)).toEqual([lifted])
    expect(await store.audit?.listPending({ limit: 9 })).toEqual([audit])
    expect(await store.countTokens({ revoked: true })).toBe(2)
  })

  it('adds tables of its own, and changes none of the others', async () => {
    const place = await makePlace()
    made.push(place)
    expect(place.versionSix.length).toBeGreaterThan(0)
    for (const statement of place.versionSix) expect(statement).toMatch(adding('restrictions'))
  })
})

/** A statement that only adds to the tables of this name. */
const adding = (name: string) =>
  new RegExp(
    `^(CREATE TABLE IF NOT EXISTS|CREATE INDEX IF NOT EXISTS \\w+ ON|INSERT (IGNORE |OR IGNORE )?INTO) (\\S+\\.)?watchword_${name}`,
  )

describe.skipIf(redisUrl === undefined)('redis beside a process that keeps no audit', () => {
  it('keeps the rows of its own changes, while the old process goes on without any', async () => {
    await inRedis(async ({ client, prefix, key }) => {
      const make = fixtures('redis audit upgrade')
      const store = redisStore(client, { prefix })
      await store.open()
      const audit = store.audit as AuditStore
      const [early, late] = [make.token(), make.token()]
      // An older process passes no rows.
      await store.insertTokens([early])
      const before = await client.keys(key('*'))
      expect(before.filter((name) => name.startsWith(key('audit')))).toEqual([])
      const [one, two] = [auditRow(make), auditRow(make)]
      await store.insertTokens([late], undefined, [one])
      await store.revoke(make.revocation('token', early.id), [two])
      await store.revoke(make.revocation('token', late.id))
      await store.purge({ tokens: NOW + HOUR, keys: 0, revocations: NOW + 48 * HOUR })
      // Only keys of its own, and no new version, so that the old process still starts.
      expect(await client.get(key('schema'))).toBe('2')
      expect(await audit.listPending({ limit: 9 })).toEqual([one, two])
      const rest = await client.keys(key('*'))
      expect(rest.filter((name) => !name.startsWith(key('audit'))).sort()).toEqual([
        key('change'),
        key('schema'),
      ])
    })
  })
})

describe.skipIf(redisUrl === undefined)('redis beside a process that knows no details', () => {
  it('reads, lists, counts, rotates and updates rows that it wrote', async () => {
    await inRedis(async ({ client, prefix, key }) => {
      const make = fixtures('redis upgrade')
      const store = redisStore(client, { prefix })
      await store.open()
      const [one, two] = [make.token(), make.token()]
      for (const record of [one, two]) {
        const { scopes, rotatable, ...rest } = oldRecordOf(record)
        const fields = Object.entries(rest).flatMap(([field, value]) =>
          value === null ? [] : [field, String(value)],
        )
        await client.hset(key(`token:${record.id}`), ...fields, 'scopes', JSON.stringify(scopes))
        await client.hset(key(`token:${record.id}`), 'rotatable', Number(rotatable))
        await client.zadd(key('tokens'), 0, record.id)
        for (const field of ['subject', 'family', 'policy', 'audience', 'keyId'] as const)
          await client.zadd(key(`tokens-by-${field}:${record[field]}`), 0, record.id)
        await client.zadd(key('expiry-of-tokens'), record.expiresAt, record.id)
      }
      expect(await client.get(key('schema'))).toBe('2')
      expect(await store.listTokens({}, { limit: 9 })).toEqual([one, two])
      expect(await store.countTokens({ issuedBy: one.issuedBy, subject: one.subject })).toBe(2)
      expect(await store.countTokens({ owner: 'team' })).toBe(0)
      expect(await store.updateDetails(one.id, '', DETAILS)).toBe(true)
      const updated = { ...one, ...DETAILS }
      expect(await store.listTokens({ owner: 'team' }, { limit: 9 })).toEqual([updated])
      expect(await store.succeed(one.id, make.successor(one), NOW)).toEqual({
        outcome: 'changed',
        predecessor: updated,
      })
      expect(await store.succeed(two.id, make.successor(two), NOW)).toEqual({
        outcome: 'succeeded',
      })
      // The old process removes a row from the lists that it knows.
      for (const list of ['tokens', 'expiry-of-tokens', `tokens-by-subject:${one.subject}`])
        await client.zrem(key(list), one.id)
      await client.del(key(`token:${one.id}`))
      expect(await store.listTokens({ owner: 'team' }, { limit: 9 })).toEqual([])
      expect(await store.countTokens({ owner: 'team' })).toBe(0)
    })
  })
})
