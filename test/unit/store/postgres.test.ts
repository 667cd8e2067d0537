import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresQuery, postgresStore } from '../../../src/store/postgres.js'
import type { SqlStore } from '../../../src/store/sql/store.js'
import type { TokenFilter } from '../../../src/store/store.js'
import { fixtures, HOUR, NOW } from '../../../src/testkit/store/fixtures.js'
import { serverUrl, uniqueName } from '../../contract/servers.js'

const url = await serverUrl('postgres')
const make = fixtures('postgres')

/** A wrapped pool, as callers write it, that records the queries. */
function recorded(pool: pg.Pool, sent: PostgresQuery[]) {
  return {
    connect: async () => {
      const client = await pool.connect()
      const query = client.query.bind(client)
      return Object.assign(Object.create(client), {
        query: (query_: PostgresQuery) => {
          sent.push(query_)
          return query(query_)
        },
      })
    },
  }
}

describe.skipIf(url === undefined)('postgresStore', () => {
  const schema = uniqueName()
  const pools: pg.Pool[] = []
  const lost: Error[] = []

  function poolOf(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: url, ...options })
    pool.on('error', (error) => lost.push(error))
    pools.push(pool)
    return pool
  }

  const admin = poolOf()
  let store: SqlStore

  beforeAll(async () => {
    store = postgresStore(admin, { schema })
    await store.migrate()
  })
  afterAll(async () => {
    await admin.query(`DROP SCHEMA ${schema} CASCADE`)
    await Promise.all(pools.map((pool) => pool.end()))
  })

  const transactionsLeftOpen = async (name: string) => {
    const { rows } = await admin.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1 AND state LIKE 'idle in%'",
      [name],
    )
    return rows[0].n
  }

  it('rejects when no server listens, and does not hang', async () => {
    const dead = postgresStore(poolOf({ connectionString: 'postgres://x@127.0.0.1:9/x' }))
    for (const call of [
      () => dead.open(),
      () => dead.getToken(make.id()),
      () => dead.revoke(make.revocation('all', '')),
      () => dead.migrate(),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('rejects when the caller has ended the pool', async () => {
    const pool = new pg.Pool({ connectionString: url })
    const ended = postgresStore(pool, { schema })
    await pool.end()
    await expect(ended.getToken(make.id())).rejects.toThrow()
    await expect(ended.succeed(make.id(), make.token(), null)).rejects.toThrow()
  })

  it('reads from a read-only session, and rejects writes', async () => {
    const token = make.token()
    await store.insertTokens([token])
    const pool = poolOf({ options: '-c default_transaction_read_only=on' })
    const readOnly = postgresStore(pool, { schema })
    await readOnly.migrate()
    await readOnly.open()
    expect(await readOnly.getToken(token.id)).toStrictEqual(token)
    for (const call of [
      () => readOnly.insertTokens([make.token()]),
      () => readOnly.insertTokens([make.token()], { max: 9, now: NOW }),
      () => readOnly.succeed(token.id, make.successor(token), null),
      () => readOnly.revoke(make.revocation('token', token.id)),
    ])
      await expect(call()).rejects.toMatchObject({ code: '25006' })
    expect((await readOnly.getToken(token.id))?.revokedAt).toBe(null)
  })

  it('holds its guarantees under any default isolation level of the sessions', async () => {
    for (const level of ['serializable', 'repeatable\\ read']) {
      const pool = poolOf({ options: `-c default_transaction_isolation=${level}`, max: 10 })
      const strict = postgresStore(pool, { schema })
      const token = make.token({ subject: level })
      await strict.insertTokens([token])
      const rotations = Array.from({ length: 20 }, () =>
        strict.succeed(token.id, make.successor(token), null),
      )
      const outcomes = (await Promise.all(rotations)).map(({ outcome }) => outcome)
      expect(outcomes.filter((outcome) => outcome === 'succeeded')).toHaveLength(1)
      expect(outcomes.filter((outcome) => outcome === 'already')).toHaveLength(19)
      const limit = { max: 5, now: NOW }
      const inserts = Array.from({ length: 20 }, () =>
        strict.insertTokens([make.token({ subject: level })], limit),
      )
      const inserted = await Promise.all(inserts)
      expect(inserted.filter((outcome) => outcome === 'inserted')).toHaveLength(4)
    }
  })

  it('destroys a client whose transaction failed', async () => {
    const name = uniqueName()
    const pool = poolOf({ max: 1, application_name: name })
    const single = postgresStore(pool, { schema })
    const [token, other] = [make.token(), make.token()]
    await single.insertTokens([token, other])
    const removed: unknown[] = []
    pool.on('release', (error) => {
      if (error) removed.push(error)
    })
    // An existing id: the insert fails after the predecessor was written.
    const clash = make.successor(token, { id: other.id })
    await expect(single.succeed(token.id, clash, NOW)).rejects.toMatchObject({ code: '23505' })
    expect(removed).toHaveLength(1)
    expect(await single.getToken(token.id)).toStrictEqual(token)
    expect(await transactionsLeftOpen(name)).toBe(0)
    expect(await single.succeed(token.id, make.successor(token), NOW)).toEqual({
      outcome: 'succeeded',
    })
    const client = await pool.connect()
    expect(client.listenerCount('error')).toBe(0)
    client.release()
  })

  it('survives the end of its backend in the middle of a transaction', async () => {
    const name = uniqueName()
    const pool = poolOf({ max: 2, application_name: name })
    const single = postgresStore(pool, { schema })
    const token = make.token()
    await single.insertTokens([token])
    for (let round = 0; round < 3; round++) {
      const blocker = await admin.connect()
      await blocker.query('BEGIN')
      await blocker.query(`SELECT 1 FROM ${schema}.watchword_tokens WHERE id = $1 FOR UPDATE`, [
        token.id,
      ])
      const failed = single.revoke(make.revocation('token', token.id)).then(
        () => 'done',
        () => 'failed',
      )
      const kill = `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
        WHERE application_name = $1 AND wait_event_type = 'Lock'`
      while ((await admin.query(kill, [name])).rows.length === 0);
      expect(await failed).toBe('failed')
      await blocker.query('ROLLBACK')
      blocker.release()
      expect(await single.getToken(token.id)).toStrictEqual(token)
    }
    await single.revoke(make.revocation('token', token.id))
    expect((await single.getToken(token.id))?.revokedAt).toBe(NOW + HOUR / 12)
  })

  it('never returns the rows of another call, while backends are terminated at random', async () => {
    const name = uniqueName()
    const pool = poolOf({ max: 4, application_name: name })
    const shaken = postgresStore(pool, { schema })
    const tokens = make.tokens(100)
    await store.insertTokens(tokens)
    let completed = 0
    const reads = async (offset: number) => {
      for (let index = 0; index < 200; index++) {
        const { id } = tokens[(index * 7 + offset) % tokens.length] as (typeof tokens)[0]
        const found = await shaken.getToken(id).catch(() => undefined)
        if (found === undefined) continue
        expect(found.id).toBe(id)
        completed++
      }
    }
    let done = false
    const shake = async () => {
      while (!done)
        await admin.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND random() < 0.2',
          [name],
        )
    }
    const shaking = shake()
    await Promise.all(Array.from({ length: 8 }, (_, offset) => reads(offset * 13)))
    done = true
    await shaking
    expect(completed).toBeGreaterThan(50)
  })

  it('makes inserts wait for a revocation, including inserts of one statement', async () => {
    const queries: PostgresQuery[] = []
    const pool = poolOf({ max: 4 })
    const watched = postgresStore(recorded(pool, queries), { schema })
    await watched.revoke(make.revocation('subject', 'unused'))
    const lock = /SELECT pg_advisory_xact_lock\((\d+)\)/.exec(queries[0]?.text ?? '')?.[1]
    const holder = await admin.connect()
    await holder.query(`BEGIN; SELECT pg_advisory_xact_lock(${lock})`)
    let inserted = false
    const insert = store.insertTokens([make.token()]).then(() => {
      inserted = true
    })
    const waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while ((await admin.query(waiting)).rows.length === 0);
    expect(inserted).toBe(false)
    await holder.query('COMMIT')
    holder.release()
    await insert
  })

  it('serves every list, count and purge from an index', async () => {
    const sent: PostgresQuery[] = []
    const recording = postgresStore(recorded(admin, sent), { schema, prefix: 'plans_' })
    await recording.migrate()
    const keys = Array.from({ length: 5 }, () => make.keyId())
    const tokens = make.tokens(5000).map((token, index) => ({
      ...token,
      subject: `s${index % 5}`,
      audience: `a${index % 5}`,
      policy: `p${index % 5}`,
      keyId: keys[index % 5] ?? '',
      family: tokensFamily(index),
      owner: `o${index % 5}`,
      issuedBy: `i${index % 5}`,
      ...(index % 100 === 0 ? { revokedAt: NOW, revokedBy: 'x' } : {}),
      expiresAt: NOW + index,
    }))
    for (let index = 0; index < tokens.length; index += 1000)
      await recording.insertTokens(tokens.slice(index, index + 1000))
    await admin.query(`ANALYZE ${schema}.plans_tokens`)
    const after = tokens[2500]?.id ?? ''
    const filters: TokenFilter[] = [
      {},
      { subject: 's1' },
      { family: tokensFamily(1) },
      { policy: 'p1' },
      { audience: 'a1' },
      { keyId: keys[1] ?? '' },
      { subject: 's1', liveAt: NOW },
      { supersededAliveAt: NOW },
      { owner: 'o1' },
      { issuedBy: 'i1' },
      { revoked: true },
    ]
    sent.length = 0
    for (const filter of filters) {
      await recording.listTokens(filter, { limit: 50 })
      await recording.listTokens(filter, { after, limit: 50 })
      await recording.listTokens(filter, { after, limit: 50, order: 'newest' })
    }
    for (const filter of [{ revoked: true }, { expiresBefore: NOW + 20 }])
      await recording.countTokens(filter)
    await recording.getToken(after)
    await recording.purge({ tokens: NOW + 10, keys: NOW, revocations: NOW })
    const plans = sent.filter(({ text }) => text.includes('plans_tokens'))
    expect(plans.length).toBeGreaterThan(35)
    for (const { text, values = [] } of plans) {
      const { rows } = await admin.query(`EXPLAIN ${text}`, values)
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      expect(plan, text).not.toMatch(/Seq Scan|Sort Key: id/)
      expect(plan, text).toMatch(/Index (Only )?Scan|Bitmap Index Scan/)
    }
  })

  const tokensFamily = (index: number) => `F${String(index % 5).padStart(25, '0')}`
})
