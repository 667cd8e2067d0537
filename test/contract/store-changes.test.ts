/** Cases that the contract kit cannot force: an open transaction, an older schema, and the server's own messages. */
import Libsql from 'libsql'
import { afterAll, describe, expect, it } from 'vitest'
import { redisStore } from '../../src/store/redis.js'
import { sqliteStore } from '../../src/store/sqlite.js'
import { fixtures, HOUR, NOW } from '../../src/testkit/store/fixtures.js'
import { inRedis } from './redis-place.js'
import { serverUrl } from './servers.js'
import { type Place, places } from './sql-places.js'

const redisUrl = await serverUrl('redis')

const made: Place[] = []
const placeOf = async (make: () => Promise<Place>): Promise<Place> => {
  const place = await make()
  made.push(place)
  return place
}
afterAll(async () => {
  for (const { remove } of made) await remove()
})

describe.each(places)('the changes of %s', (name, makePlace) => {
  it('hold a change that took its number early and is committed late, after the cursor in between', async () => {
    const { store, run } = await placeOf(makePlace)
    await store.migrate()
    const make = fixtures(name)
    const token = make.token()
    await store.insertTokens([token])
    let { cursor } = await store.changes(null, 9)
    const stripes = [0, 5, 15]
    for (const stripe of stripes) {
      await run(name === 'sqlite' ? 'BEGIN DEFERRED' : 'BEGIN')
      if (name !== 'sqlite')
        await run(`UPDATE watchword_arrivals SET n = n + 1 WHERE id = ${stripe}`)
      // Other changes continue meanwhile in the free stripes, and so does the cursor.
      const seen = await store.changes(cursor, 9)
      cursor = seen.cursor
      expect(seen.superseded).toEqual([])
      if (name === 'sqlite')
        await run(`UPDATE watchword_arrivals SET n = n + 1 WHERE id = ${stripe}`)
      await run(
        `UPDATE watchword_tokens SET superseded_at = ${NOW}, changed = (SELECT n FROM watchword_arrivals WHERE id = ${stripe}) WHERE id = '${token.id}'`,
      )
      await run('COMMIT')
      const late = await store.changes(cursor, 9)
      expect(late.superseded.map(({ id }) => id)).toEqual([token.id])
      cursor = late.cursor
    }
  })

  it('start over when the database was restored to an earlier state', async () => {
    const { store, run } = await placeOf(makePlace)
    await store.migrate()
    const make = fixtures(name)
    for (let i = 0; i < 60; i++) await store.revoke(make.revocation('subject', `u${i}`))
    const { cursor } = await store.changes(null, 9)
    await run('DELETE FROM watchword_revocations')
    await run('UPDATE watchword_arrivals SET n = n - (n % 1048576)')
    const revocation = make.revocation('subject', 'later')
    for (let i = 0; i < 10; i++) await store.revoke({ ...revocation, id: make.id() })
    const kept: string[] = []
    for (let after = cursor, more = true; more; ) {
      const page = await store.changes(after, 99)
      for (const { id } of page.revocations) kept.push(id)
      ;({ cursor: after, more } = page)
    }
    expect(new Set(kept).size).toBe(10)
  })

  it('exist after version 1 of the schema was migrated, whose rows are read unchanged', async () => {
    const { store, run, versionOne } = await placeOf(makePlace)
    for (const statement of versionOne) await run(statement)
    await run('INSERT INTO watchword_schema (version) VALUES (1)')
    await expect(store.open()).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    const make = fixtures(`${name} 1`)
    const [token, { id: keyId }] = [make.token(), make.key()]
    await run(
      `INSERT INTO watchword_tokens (id, family, generation, subject, subject_hash, audience, policy, policy_version, scopes, key_id, issued_at, expires_at, family_issued_at, family_expires_at, issued_by) VALUES ('${token.id}', '${token.id}', 0, 's', 'h', 'a', 'p', 1, '["x"]', '${keyId}', ${NOW}, ${NOW + HOUR}, ${NOW}, ${NOW + HOUR}, 'ops')`,
    )
    await run(
      `INSERT INTO watchword_revocations (id, kind, value, target, before_at, revoked_at, actor, expires_at) VALUES ('${make.id()}', 'token', '${token.id}', '${token.id}', 1, ${NOW}, 'ops', ${NOW + HOUR})`,
    )
    await store.migrate()
    await store.open()
    expect(await store.getToken(token.id)).toMatchObject({ ttl: HOUR, rotatable: true, tag: '' })
    const [revocation] = await store.listRevocations({ limit: 9 })
    expect(revocation).toMatchObject({ family: null, generation: null, tag: '' })
    const { cursor } = await store.changes(null, 9)
    await store.supersede(token.id, NOW)
    expect((await store.changes(cursor, 9)).superseded).toHaveLength(1)
  })

  it('come with the time of the server, and with one name for all of its clients', async () => {
    const { store, other } = await placeOf(makePlace)
    await store.migrate()
    const before = Date.now()
    const now = (await store.now?.()) ?? 0
    expect(now).toBeGreaterThan(before - 1000)
    expect(now).toBeLessThan(Date.now() + 1000)
    const identity = await store.identity?.()
    expect(identity).toMatch(new RegExp(`^${name}:.`))
    expect(await other.identity?.()).toBe(identity)
  })
})

describe('an sqlite database in memory', () => {
  it('has no name that another handle could share', async () => {
    expect(await sqliteStore(new Libsql(':memory:')).identity?.()).toBeUndefined()
  })
})

describe.skipIf(redisUrl === undefined)('the redis store', () => {
  it('migrates the data of version 1, and names its server and its time', async () => {
    await inRedis(async ({ client, prefix, key }) => {
      const make = fixtures('redis 1')
      const { ttl, rotatable, tag, scopes, ...rest } = make.token()
      const fields = Object.entries(rest).flatMap(([field, value]) =>
        value === null ? [] : [field, String(value)],
      )
      await client.set(key('schema'), '1')
      await client.hset(key(`token:${rest.id}`), ...fields, 'scopes', JSON.stringify(scopes))
      await client.zadd(key('tokens'), 0, rest.id)
      const store = redisStore(client, { prefix })
      await store.open()
      expect(await client.get(key('schema'))).toBe('2')
      expect(await store.getToken(rest.id)).toEqual({
        ...rest,
        scopes,
        ttl: HOUR,
        rotatable: true,
        tag: '',
      })
      const { cursor } = await store.changes(null, 9)
      await store.supersede(rest.id, NOW)
      expect((await store.changes(cursor, 9)).superseded).toHaveLength(1)
      expect(Math.abs(((await store.now?.()) ?? 0) - Date.now())).toBeLessThan(1000)
      expect(await store.identity?.()).toMatch(/^redis:[0-9a-f]{40}$/)
    })
  })
})
