/** Settings and sessions of a `pg` pool that an adapter supports. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresFeed } from '../../../../src/feed/postgres.js'
import { postgresStore } from '../../../../src/store/postgres.js'
import { fixtures, NOW } from '../../../../src/testkit/store/fixtures.js'
import { serverUrl, uniqueName } from '../../../contract/servers.js'

const url = await serverUrl('postgres')
const make = fixtures('drivers')
const call = { signal: new AbortController().signal, deadlineMs: 5000 }
const EPOCH = 'epoch-of-22-characters'
const LINK = new Uint8Array(16).fill(0xe9)
const SEAL = Uint8Array.from({ length: 256 }, (_, byte) => byte)

describe.skipIf(url === undefined)('a pg pool', () => {
  const schema = uniqueName()
  const pools: pg.Pool[] = []
  const errors: Error[] = []

  function poolOf(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: url, ...options })
    pool.on('error', (error) => errors.push(error))
    pools.push(pool)
    return pool
  }

  const admin = poolOf()
  beforeAll(async () => {
    await postgresStore(admin, { schema }).migrate()
    await postgresFeed(admin, { schema }).migrate()
  })
  afterAll(async () => {
    await admin.query(`DROP SCHEMA ${schema} CASCADE`)
    await Promise.all(pools.map((pool) => pool.end()))
  })

  async function useBoth(pool: pg.Pool, name: string, prepare = true): Promise<void> {
    const store = postgresStore(pool, { schema, prepare })
    await store.migrate()
    await store.open()
    const token = make.token()
    await store.insertTokens([token])
    expect(await store.getToken(token.id)).toStrictEqual(token)
    const limited = make.token({ subject: name })
    expect(await store.insertTokens([limited], { max: 1, now: NOW })).toBe('inserted')
    expect(await store.insertTokens([make.token({ subject: name })], { max: 1, now: NOW })).toBe(
      'limit',
    )
    const feed = postgresFeed(pool, { schema, name, prepare, listen: false })
    await feed.migrate()
    await feed.open(call.signal)
    const head = { epoch: EPOCH, seq: 1, link: LINK, floor: 1, beaconAt: NOW, bytes: SEAL }
    expect(await feed.append(null, [{ seq: 1, bytes: SEAL }], head, call)).toEqual({ ok: true })
    expect(await feed.head(call)).toEqual(head)
    expect(await feed.read({ epoch: EPOCH, seq: 0 }, 10, call)).toEqual({
      events: [{ seq: 1, bytes: SEAL }],
      floor: 1,
    })
    const { durability } = feed.info
    expect(['fsync', 'process']).toContain(durability)
    const chunks = (async function* () {
      yield SEAL
    })()
    await feed.snapshot?.save(chunks, call.signal)
    const loaded: Uint8Array[] = []
    for await (const chunk of feed.snapshot?.load(call.signal) ?? []) loaded.push(chunk)
    expect(loaded).toEqual([SEAL])
    await feed.close()
    await store.close()
  }

  it.each(['the pool', 'all pools'])('is rejected with binary: true on %s', async (where) => {
    if (where === 'all pools') pg.defaults.binary = true
    const pool = poolOf()
    if (where === 'the pool') Object.assign(pool.options, { binary: true })
    const [store, feed] = [postgresStore(pool, { schema }), postgresFeed(pool, { schema })]
    const calls = [() => store.migrate(), () => store.open(), () => feed.migrate()]
    try {
      for (const start of [...calls, () => feed.open(call.signal)])
        await expect(start()).rejects.toMatchObject({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringContaining('binary: true'),
        })
    } finally {
      pg.defaults.binary = false
    }
  })

  it('works when it writes bytea as escaped text', async () => {
    await useBoth(poolOf({ options: '-c bytea_output=escape' }), 'escaped')
  })

  it('works with custom parsers for every type that is read', async () => {
    const types = [16, 17, 20, 21, 23, 25, 1043, 1700]
    const before = types.map((type) => pg.types.getTypeParser(type))
    for (const type of types) pg.types.setTypeParser(type, () => Symbol('parsed'))
    try {
      await useBoth(poolOf(), 'parsers')
    } finally {
      for (const [i, type] of types.entries())
        pg.types.setTypeParser(type, before[i] as (text: string) => unknown)
    }
  })

  it.each(['DEALLOCATE ALL', 'DISCARD ALL'])(
    'works after %s ran on its sessions',
    async (reset) => {
      const pool = poolOf({ max: 3 })
      const store = postgresStore(pool, { schema })
      const token = make.token()
      await store.insertTokens([token])
      const calls: Record<string, () => Promise<unknown>> = {
        getToken: () => store.getToken(token.id),
        insert: () => store.insertTokens([make.token()]),
        insertLimited: () => store.insertTokens([make.token()], { max: 9, now: NOW }),
        revoke: () => store.revoke(make.revocation('subject', 'unused')),
        succeed: () => store.succeed(token.id, make.successor(token), null),
        list: () => store.listTokens({}, { limit: 1 }),
      }
      for (const call of Object.values(calls)) {
        // Every connection of the pool has prepared the statements of the call and then lost them.
        await Promise.all([call(), call(), call()])
        const clients = await Promise.all([1, 2, 3].map(() => pool.connect()))
        for (const client of clients) await client.query(reset)
        for (const client of clients) client.release()
        await expect(call()).resolves.not.toThrow()
      }
    },
  )

  it('works behind a pooler that breaks prepared statements, and a warning names the pooler', async () => {
    const pool = poolOf({ max: 1 })
    const warnings: Error[] = []
    const listen = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listen)
    const store = postgresStore(pool, { schema })
    await store.getToken(make.id())
    const { rows } = await pool.query(
      "SELECT name, statement FROM pg_prepared_statements WHERE name LIKE 'watchword%'",
    )
    // As a pooler does: a separate session in which another client has prepared the same statement.
    const other = poolOf({ max: 1 })
    for (const { name, statement } of rows)
      await other.query(`PREPARE ${quoted(name)} AS ${statement}`)
    await expect(postgresStore(other, { schema }).getToken(make.id())).resolves.toBeUndefined()
    await new Promise(setImmediate)
    process.removeListener('warning', listen)
    expect(warnings.map(({ message }) => message).join()).toContain('prepare: false')
  })

  it('always keeps an error listener on a connection that it lends', async () => {
    const name = uniqueName()
    const pool = poolOf({ max: 3, application_name: name })
    const store = postgresStore(pool, { schema })
    const feed = postgresFeed(pool, { schema, name: 'killed', listen: false })
    const unheard: unknown[] = []
    const note = (error: unknown): void => void unheard.push(error)
    process.on('uncaughtException', note)
    const [signal] = [new AbortController().signal]
    let killed = 0
    let isOver = false
    const work = async (): Promise<void> => {
      while (!isOver) {
        const token = make.token()
        await store.insertTokens([token], { max: 9, now: NOW }).catch(() => undefined)
        await store.revoke(make.revocation('token', token.id)).catch(() => undefined)
        await feed.head({ ...call, signal }).catch(() => undefined)
      }
    }
    const workers = [1, 2, 3, 4].map(work)
    while (killed < 300) {
      const { rowCount } = await admin.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [name],
      )
      killed += rowCount ?? 0
    }
    isOver = true
    await Promise.all(workers)
    process.removeListener('uncaughtException', note)
    expect(unheard).toEqual([])
    await expect(store.getToken(make.id())).resolves.toBeUndefined()
  })
})

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
