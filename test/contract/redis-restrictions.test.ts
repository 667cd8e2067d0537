/** Registers of restrictions in Redis when memory is full, when data was lost, and beside older versions. */
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { readRestriction, writeRestriction } from '../../src/store/checked-restrictions.js'
import { redisStore } from '../../src/store/redis.js'
import { fixtures, NOW } from '../../src/testkit/store/fixtures.js'
import {
  allRegisters,
  registerOf,
  restrictionsOf,
  revisionAfter,
  write,
} from '../../src/testkit/store/restriction-fixtures.js'
import { auditRow } from '../support/audit-rows.js'
import { inRedis } from './redis-place.js'
import { hasRedisServer, type OwnServer, ownServer } from './redis-server.js'
import { serverUrl } from './servers.js'

const redisUrl = await serverUrl('redis')
const CORRUPT = { code: 'ERR_STORE_CORRUPT' }

describe.skipIf(!hasRedisServer())('restrictions in a Redis whose memory is full', () => {
  const made: [OwnServer, Redis][] = []
  afterEach(async () => {
    for (const [server, client] of made.splice(0)) {
      client.disconnect()
      await server.remove()
    }
  })

  it('are written with their audit, lifted, listed and purged, as revocations are', async () => {
    const server = await ownServer()
    const client = new Redis(server.url)
    made.push([server, client])
    const store = redisStore(client)
    await store.open()
    const make = fixtures('full restrictions')
    await client.config('SET', 'maxmemory', '1')
    await expect(store.insertTokens([make.token()])).rejects.toThrow('OOM')
    const { cursor } = await store.changes(null, 9)
    const row = registerOf('subject', 'user:1')
    const audit = auditRow(make)
    await write(store, row, [audit])
    await write(store, revisionAfter(row))
    expect(await allRegisters(store)).toEqual([revisionAfter(row)])
    expect((await store.changes(cursor, 9)).restrictions).toEqual([revisionAfter(row)])
    expect(await store.audit?.listPending({ limit: 9 })).toEqual([audit])
    expect(await restrictionsOf(store).purge(NOW * 2)).toBe(1)
    const keys = (await client.keys('*')).filter((key) => !key.includes('audit'))
    // The number of the last change is never used again.
    expect(keys.sort()).toEqual(['{watchword}:change', '{watchword}:schema'])
  })
})

describe.skipIf(redisUrl === undefined)('restrictions in Redis', () => {
  it('are reported as corrupt, not as missing, if their data was removed or replaced', async () => {
    await inRedis(async ({ client, prefix, key }) => {
      const store = redisStore(client, { prefix })
      await store.open()
      const part = restrictionsOf(store)
      const row = registerOf('subject', 'user:1')
      const { cursor } = await store.changes(null, 9)
      await write(store, row)
      const data = key('restriction:subject:user:1')
      const breaking = [
        () => client.del(data),
        () => client.set(data, 'x'),
        () => client.multi().del(data).hset(data, 'id', 'subject:user:1').exec(),
        () => client.hset(data, 'revision', 'x'),
      ]
      for (const breakIt of breaking) {
        await breakIt()
        await expect(readRestriction(part, row)).rejects.toMatchObject(CORRUPT)
        for (const next of [row, revisionAfter(row)])
          await expect(writeRestriction(part, next)).rejects.toMatchObject(CORRUPT)
        const [listed] = await part.list({ limit: 9 })
        expect(listed).toMatchObject({ kind: 'subject', value: 'user:1' })
        expect((await store.changes(cursor, 9)).restrictions).toHaveLength(1)
      }
    })
  })

  it('are returned in pages of at most 100 changes, since each may be large', async () => {
    await inRedis(async ({ client, prefix }) => {
      const store = redisStore(client, { prefix })
      await store.open()
      const make = fixtures('many restrictions')
      let { cursor } = await store.changes(null, 9)
      const rows = Array.from({ length: 250 }, () => registerOf('family', make.id()))
      for (const row of rows) await write(store, row)
      await store.revoke(make.revocation('subject', 'last'))
      const pages = []
      for (let more = true; more; ) {
        const page = await store.changes(cursor, 1000)
        ;({ cursor, more } = page)
        pages.push(page)
      }
      expect(pages.map(({ restrictions }) => restrictions?.length)).toEqual([100, 100, 50])
      expect(pages.flatMap(({ restrictions = [] }) => restrictions)).toEqual(rows)
      expect(pages.map(({ revocations }) => revocations.length)).toEqual([0, 0, 1])
      expect(await allRegisters(store)).toEqual(rows)
    })
  })

  it('add no key and no version that an older process reads, except changes that it skips', async () => {
    await inRedis(async ({ client, prefix, key }) => {
      const store = redisStore(client, { prefix })
      await store.open()
      await write(store, registerOf('subject', 'user:1'))
      expect(await client.get(key('schema'))).toBe('2')
      expect((await client.keys(key('*'))).sort()).toEqual(
        ['change', 'changes', 'expiry-of-restrictions', 'restriction:subject:user:1']
          .concat(['restrictions', 'schema'])
          .map(key),
      )
      // An older version takes any change that is not a revocation for a token, and skips one that does not exist.
      expect(await client.zrange(key('changes'), '0', '-1')).toEqual(['x:subject:user:1'])
      expect(await store.getToken('subject:user:1')).toBeUndefined()
    })
  })
})
