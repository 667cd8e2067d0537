import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresStore } from '../../src/store/postgres.js'
import { HOUR, NOW } from '../../src/testkit/store/fixtures.js'
import { rowsOf, usageOf, usageRow } from '../../src/testkit/store/usage-fixtures.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('postgres')

describe.skipIf(url === undefined)('merging usage in PostgreSQL', () => {
  const schema = uniqueName()
  const own = new pg.Pool({ connectionString: url, max: 2 })
  const pools = ['read committed', 'repeatable read', 'serializable'].map((isolation) => {
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
    const pool = new pg.Pool({ connectionString: url, max: 2, options, application_name: schema })
    return [isolation, pool] as const
  })
  beforeAll(async () => {
    await postgresStore(own, { schema }).migrate()
  })
  afterAll(async () => {
    await own.query(`DROP SCHEMA "${schema}" CASCADE`)
    await Promise.all([own, ...pools.map(([, pool]) => pool)].map((pool) => pool.end()))
  })

  const closedUntil = async (client: pg.PoolClient, time: number) => {
    await client.query(`UPDATE "${schema}".watchword_usage_state SET n = ${time} WHERE id = 0`)
  }
  const waiting = async () => {
    const { rows } = await own.query(
      `SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
      [schema],
    )
    return rows.length
  }

  // The greater number of callers makes the merge take several statements, and therefore a transaction.
  const cases = pools.flatMap(([isolation, pool]) =>
    [0, 8].map((callers) => [isolation, callers, pool] as const),
  )
  it.each(cases)(
    'skips the hours that a purge closes while the merge waits for it (%s, %i callers)',
    async (isolation, callers, pool) => {
      const store = postgresStore(pool, { schema })
      const caller = {
        address: '',
        route: 'r'.repeat(256),
        userAgent: 'u'.repeat(256),
        requests: 1,
      }
      const rows = Array.from({ length: 100 }, (_, index) =>
        usageRow(`${isolation} ${callers} ${index}`, 'life', {
          from: NOW + (index % 2) * HOUR,
          callers: Array.from({ length: callers }, () => caller),
        }),
      )
      const purge = await own.connect()
      await closedUntil(purge, 0)
      await purge.query('BEGIN')
      await closedUntil(purge, NOW + HOUR)
      const merged = usageOf(store).mergeRows(rows)
      while ((await waiting()) === 0) await setTimeout(5)
      await purge.query('COMMIT')
      purge.release()
      expect(await merged).toBe(NOW + HOUR)
      const ids = rows.map(({ id }) => id)
      const stored = await rowsOf(store, ids)
      expect(new Set(stored.map(({ from }) => from))).toEqual(new Set([NOW + HOUR]))
      expect(stored).toHaveLength(50)
    },
  )

  it('makes a purge wait until a merge of open hours is written', async () => {
    const [, pool] = pools[0] as (typeof pools)[number]
    const store = postgresStore(pool, { schema })
    const reader = await own.connect()
    await closedUntil(reader, 0)
    await reader.query('BEGIN')
    const row = usageRow('held', 'life')
    await usageOf(store).mergeRows([row])
    await reader.query(`SELECT 1 FROM "${schema}".watchword_usage WHERE id = 'held' FOR UPDATE`)
    // Waits for the row, and holds the state meanwhile.
    const merged = usageOf(store).mergeRows([{ ...row, requests: 9 }])
    while ((await waiting()) < 1) await setTimeout(5)
    const purged = usageOf(store).purge({ foldUntil: NOW + HOUR, removeUntil: 0 })
    while ((await waiting()) < 2) await setTimeout(5)
    await reader.query('COMMIT')
    reader.release()
    expect(await merged).toBe(0)
    await purged
    expect(await rowsOf(store, ['held'])).toMatchObject([{ id: 'held', requests: 9 }])
  })
})
