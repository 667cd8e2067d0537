import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuditRow } from '../../src/store/audit.js'
import { type IoRedisClient, redisStore } from '../../src/store/redis.js'
import type { Store } from '../../src/store/store.js'
import { fixtures, NOW } from '../../src/testkit/store/fixtures.js'
import { auditOf, auditRow } from '../support/audit-rows.js'
import { hasRedisServer, type OwnServer, ownServer } from './redis-server.js'

const PAGE = { limit: 100 }

describe.skipIf(!hasRedisServer())('the redis store, on a separate server', async () => {
  const servers: OwnServer[] = []
  const clients: Redis[] = []
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect()
    for (const server of servers.splice(0)) await server.remove()
  })

  async function serve(...settings: string[]): Promise<OwnServer> {
    const server = await ownServer(...settings)
    servers.push(server)
    return server
  }

  function ioredis(
    { port }: OwnServer,
    user: { username?: string; password?: string } = {},
  ): Redis {
    const client = new Redis({
      port,
      ...user,
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
    })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }

  async function connected(server: OwnServer): Promise<Redis> {
    const client = ioredis(server)
    await client.connect()
    return client
  }

  async function until(works: () => Promise<unknown>): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (
        await works().then(
          () => true,
          () => false,
        )
      )
        return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('it does not work again')
  }

  it('rejects a server that may evict keys, unless configured to allow it', async () => {
    const client = await connected(await serve('--maxmemory-policy', 'allkeys-lru'))
    await expect(redisStore(client).open()).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/maxmemory-policy is allkeys-lru.*noeviction.*allowEviction/),
    })
    expect(await client.dbsize()).toBe(0)
    const store = redisStore(client, { allowEviction: true })
    await store.open()
    expect(await store.getToken('unknown')).toBeUndefined()
  })

  it('warns once about a server that does not report whether it may evict keys', async () => {
    const server = await serve()
    const admin = await connected(server)
    await admin.call('ACL', ['SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info', '-config'])
    const client = ioredis(server, { username: 'app', password: 'secret' })
    // The client's own check of the server needs INFO too.
    client.options.enableReadyCheck = false
    await client.connect()
    const codes: unknown[] = []
    const onWarning = (warning: Error): void => {
      codes.push((warning as Error & { code?: unknown }).code)
    }
    process.on('warning', onWarning)
    await redisStore(client).open()
    await redisStore(client, { prefix: 'other' }).open()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', onWarning)
    expect(codes).toEqual(['WATCHWORD_REDIS_CONFIG'])
  })

  it('rejects while the server is away, and has all written data when it is back', async () => {
    const server = await serve()
    const node = createClient({
      url: server.url,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: 20 },
    })
    node.on('error', () => undefined)
    await node.connect()
    const make = fixtures('killed')
    const stores: Store[] = [redisStore(await connected(server)), redisStore(node)]
    for (const store of stores) await store.open()
    const tokens = make.tokens(3)
    for (const [index, token] of tokens.entries()) await stores[index % 2]?.insertTokens([token])
    const revocation = make.revocation('token', tokens[0]?.id ?? '')
    await stores[0]?.revoke(revocation)
    const before = await stores[0]?.listTokens({}, PAGE)

    const inFlight = stores.map((store) => store.insertTokens(make.tokens(1000)))
    const settled = Promise.allSettled(inFlight)
    await server.kill()
    await settled
    for (const store of stores) {
      await expect(store.getToken(tokens[0]?.id ?? '')).rejects.toThrow()
      await expect(store.listTokens({}, PAGE)).rejects.toThrow()
      await expect(store.revoke(revocation)).rejects.toThrow()
    }

    await server.start()
    for (const [index, store] of stores.entries()) {
      await until(() => store.getToken('unknown'))
      expect((await store.listTokens({}, PAGE)).slice(0, 3)).toEqual(before)
      const { length } = await store.listTokens({}, { limit: 9999 })
      expect((length - index) % 1000, 'all of a batch, or none').toBe(3)
      expect(await store.listRevocations(PAGE)).toEqual([revocation])
      expect(await store.insertTokens(make.tokens(1))).toBe('inserted')
    }
    node.destroy()
  })

  it('shows all tokens of a subject as revoked from the first step on, while only some are marked', async () => {
    const server = await serve()
    const client = await connected(server)
    const make = fixtures('subject of ten thousand')
    const tokens = make.tokens(10_000, { subject: 'big' })
    const other = make.token({ subject: 'small' })
    let calls = Number.POSITIVE_INFINITY
    // A process that dies after a number of commands.
    const dying: IoRedisClient = {
      call: (command, args) =>
        --calls < 0 ? Promise.reject(new Error('killed')) : client.call(command, args),
    }
    const store = redisStore(dying)
    await store.open()
    for (let at = 0; at < tokens.length; at += 1000)
      await store.insertTokens(tokens.slice(at, at + 1000))
    await store.insertTokens([other])
    await store.revoke(make.revocation('token', other.id))
    calls = 4
    const revocation = make.revocation('subject', 'big')
    await expect(store.revoke(revocation)).rejects.toThrow('killed')
    const marked = async (on: typeof client): Promise<number> => {
      let count = 0
      for (const { id } of tokens) count += await on.hexists(`{watchword}:token:${id}`, 'revokedAt')
      return count
    }
    const partial = await marked(client)
    expect(partial).toBeGreaterThan(0)
    expect(partial).toBeLessThan(tokens.length)
    await server.kill()
    await server.start()

    // A separate client: the first one is slow to notice that the server is back.
    const next = await connected(server)
    const reader = redisStore(next)
    await reader.open()
    const expected = tokens.map((token) => ({
      ...token,
      revokedAt: revocation.at,
      revokedBy: revocation.actor,
      revokedReason: revocation.reason,
    }))
    const last = expected.at(-1)
    if (last === undefined) throw new Error('no token')
    const seen = async (): Promise<void> => {
      expect(await reader.listTokens({ subject: 'big' }, { limit: 20_000 })).toEqual(expected)
      expect(await reader.listTokens({ subject: 'big', liveAt: NOW }, PAGE)).toEqual([])
      expect(await reader.getToken(last.id)).toEqual(last)
    }
    await seen()
    expect(await reader.succeed(last.id, make.successor(last), null)).toEqual({
      outcome: 'revoked',
    })
    // Records added meanwhile must not turn from revoked to valid when the marking is done.
    const between = make.token({ subject: 'big' })
    expect(await reader.insertTokens([between], { max: 1, now: NOW })).toBe('inserted')
    expect((await reader.getToken(between.id))?.revokedBy).toBe(revocation.actor)
    const fresh = make.token({ subject: 'big', familyIssuedAt: NOW + 1 })
    expect(await reader.insertTokens([fresh], { max: 1, now: NOW })).toBe('inserted')
    expect((await reader.getToken(fresh.id))?.revokedAt).toBeNull()
    expect(await reader.insertTokens([make.token({ subject: 'big' })], { max: 1, now: NOW })).toBe(
      'limit',
    )

    expect(await reader.purge({ tokens: 0, keys: 0, revocations: 0 })).toEqual({
      tokens: 0,
      keys: 0,
      revocations: 0,
    })
    expect(await next.exists('{watchword}:pending')).toBe(0)
    expect(await marked(next)).toBe(tokens.length)
    expect(
      (await reader.listTokens({ subject: 'big' }, { limit: 20_000 })).slice(0, 10_000),
    ).toEqual(expected)
    expect((await reader.getToken(between.id))?.revokedBy).toBe(revocation.actor)
    // Written later, and so not the revocation that the token shows.
    await reader.revoke(make.revocation('token', last.id, { actor: 'late' }))
    expect(await reader.getToken(last.id)).toEqual(last)
  })

  it('writes nothing partially when memory is full, and still revokes and purges', async () => {
    const client = await connected(await serve())
    const store = redisStore(client)
    await store.open()
    const make = fixtures('full')
    const tokens = make.tokens(10)
    await store.insertTokens(tokens)
    await client.config('SET', 'maxmemory', '1')
    await expect(store.insertTokens(make.tokens(2))).rejects.toThrow('OOM')
    await expect(
      store.succeed(tokens[1]?.id ?? '', make.successor(tokens[1] ?? make.token()), NOW),
    ).rejects.toThrow('OOM')
    expect(await store.listTokens({}, PAGE)).toEqual(tokens)
    await store.revoke(make.revocation('token', tokens[0]?.id ?? ''))
    await store.supersede(tokens[1]?.id ?? '', NOW)
    expect((await store.getToken(tokens[0]?.id ?? ''))?.revokedBy).toBe('operator')
    const purged = await store.purge({ tokens: NOW * 2, keys: 0, revocations: NOW * 2 })
    expect(purged).toEqual({ tokens: 10, keys: 0, revocations: 1 })
    // The number of the last change is never used again.
    expect((await client.keys('*')).sort()).toEqual(['{watchword}:change', '{watchword}:schema'])
  })

  it('refuses a change whose row does not fit, and writes that of a revocation', async () => {
    const client = await connected(await serve())
    const store = redisStore(client)
    await store.open()
    const audit = auditOf(store)
    const make = fixtures('full audit')
    const [token, placed] = [make.token(), auditRow(make)]
    await store.insertTokens([token], undefined, [placed])
    await client.config('SET', 'maxmemory', '1')
    const details = { label: 'x', owner: null, purpose: null, detailsTag: 'x' }
    const refused = [
      store.insertTokens([make.token()], undefined, [auditRow(make)]),
      store.updateDetails(token.id, '', details, [auditRow(make)]),
      store.succeed(token.id, make.successor(token), NOW, [auditRow(make)]),
      audit.write([auditRow(make)]),
      audit.append(0, [{ id: placed.id, hash: 'a'.repeat(64), place: 'x' }], 'state'),
    ]
    for (const call of refused) await expect(call).rejects.toThrow('OOM')
    expect(await store.listTokens({}, PAGE)).toEqual([token])
    expect(await audit.listPending({ limit: 9 })).toEqual([placed])
    const [ofEnd, ofRevocation] = [auditRow(make), auditRow(make)]
    await store.supersede(token.id, NOW, [ofEnd])
    await store.revoke(make.revocation('token', token.id), [ofRevocation])
    expect(await audit.listPending({ limit: 9 })).toEqual([placed, ofEnd, ofRevocation])
    expect((await store.getToken(token.id))?.revokedBy).toBe('operator')
    await client.config('SET', 'maxmemory', '0')
    const leaf = { id: placed.id, hash: 'a'.repeat(64), place: 'x' }
    expect(await audit.append(0, [leaf], 'state')).toBe(true)
    await client.config('SET', 'maxmemory', '1')
    expect(await audit.purge(NOW)).toBe(1)
  })

  it('repeats a change after a lost reply without a second row', async () => {
    const client = await connected(await serve())
    const store = redisStore(client)
    await store.open()
    let isLost = true
    const losing: IoRedisClient = {
      call: async (command, args) => {
        const reply = await client.call(command, args)
        if (isLost) throw new Error('the connection was lost')
        return reply
      },
    }
    const repeated = redisStore(losing)
    const make = fixtures('lost replies')
    const [token, key] = [make.token(), make.key()]
    const details = { label: 'x', owner: null, purpose: null, detailsTag: 'x' }
    const next = make.successor({ ...token, ...details })
    const revocation = make.revocation('family', token.family)
    const rows = Array.from({ length: 7 }, () => auditRow(make))
    const calls: readonly ((row: AuditRow) => Promise<unknown>)[] = [
      (row) => repeated.insertTokens([token], undefined, [row]),
      (row) => repeated.updateDetails(token.id, '', details, [row]),
      (row) => repeated.succeed(token.id, next, NOW, [row]),
      (row) => repeated.supersede(next.id, NOW, [row]),
      (row) => repeated.revoke(revocation, [row]),
      (row) => repeated.insertKey(key, [row]),
      (row) => repeated.rewrapKey(key.id, key.wrapped, { wrapped: 'w', wrappedBy: 'r' }, [row]),
    ]
    for (const [i, call] of calls.entries()) {
      isLost = true
      await expect(call(rows[i] as AuditRow)).rejects.toThrow('lost')
      isLost = false
      // With another row: it is not written, because the repeated call changes nothing.
      await call(auditRow(make))
    }
    expect(await auditOf(store).listPending({ limit: 99 })).toEqual(rows)
  })

  it('reads nothing from a replica', async () => {
    const primary = await serve('--repl-diskless-sync-delay', '0')
    const store = redisStore(await connected(primary))
    await store.open()
    const replica = await serve('--replicaof', `127.0.0.1 ${primary.port}`)
    const client = await connected(replica)
    await until(async () => {
      if ((await client.exists('{watchword}:schema')) === 0) throw new Error('not copied yet')
    })
    await expect(redisStore(client).getToken('unknown')).rejects.toThrow('READONLY')
  })
})
