/** An attacker with full write access to the database of the audit. */
import pg from 'pg'
import { afterEach, beforeAll, describe, it } from 'vitest'
import { ready } from 'watchword/paseto'
import { postgresStore } from 'watchword/store/postgres'
import { redisStore } from 'watchword/store/redis'
import type { RawRow } from '../support/audit-attacks.js'
import { attack } from '../support/audit-scene.js'
import { closeAll } from '../support/harness.js'
import { redisAudit, sqlAudit } from '../support/raw-audits.js'
import { runs } from '../support/runs.js'
import { inRedis } from './redis-place.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('postgres')
const redisUrl = await serverUrl('redis')

beforeAll(() => ready)
afterEach(closeAll)

describe.skipIf(url === undefined)('PostgreSQL, changed by an attacker', () => {
  it('has an audit in which each of 1,000 changes is found and named', async () => {
    const schema = uniqueName()
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    const own = await pool.connect()
    await own.query(`CREATE SCHEMA ${schema}; SET search_path TO ${schema}`)
    try {
      const store = postgresStore(pool, { schema })
      await store.migrate()
      await attack(
        store,
        sqlAudit({
          run: async (text, values = []) => (await own.query(text, [...values])).rows as RawRow[],
          mark: (n) => `$${n}`,
        }),
        runs(1000),
      )
    } finally {
      await closeAll()
      await own.query(`DROP SCHEMA ${schema} CASCADE`)
      own.release()
      await pool.end()
    }
  }, 1_800_000)
})

describe.skipIf(redisUrl === undefined)('Redis, changed by an attacker', () => {
  it('has an audit in which each of 1,000 changes is found and named', async () => {
    await inRedis(async ({ client, prefix }) => {
      const store = redisStore(client, { prefix })
      await store.open()
      try {
        await attack(store, redisAudit(client, prefix), runs(1000))
      } finally {
        await closeAll()
      }
    })
  }, 1_800_000)
})
