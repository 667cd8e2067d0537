import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { type PostgresStoreOptions, postgresStore } from '../../src/store/postgres.js'
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('postgres')

describe.skipIf(url === undefined)('postgresStore', () => {
  const pools = [1, 2].map(() => new pg.Pool({ connectionString: url, max: 8 }))
  const [pool, twinPool] = pools as [pg.Pool, pg.Pool]
  afterAll(async () => {
    await Promise.all(pools.map((each) => each.end()))
  })

  const schemas = new WeakMap<Store, string>()
  const storeIn = (client: pg.Pool, schema: string, options: PostgresStoreOptions) => {
    const store = postgresStore(client, { schema, ...options })
    schemas.set(store, schema)
    return store
  }

  describe.each<[string, PostgresStoreOptions]>([
    ['with named statements', {}],
    ['without', { prepare: false, prefix: 'other_' }],
  ])('%s', (_, options) => {
    storeContract({
      describe,
      it,
      createStore: async () => {
        const store = storeIn(pool, uniqueName(), options)
        await store.migrate()
        return store
      },
      createTwin: async (store) => storeIn(twinPool, schemas.get(store) ?? '', options),
      destroyStore: async (store) => {
        await pool.query(`DROP SCHEMA "${schemas.get(store)}" CASCADE`)
      },
    })
  })

  it('leaves the caller’s pool unchanged', async () => {
    for (const each of pools) {
      expect(each.listenerCount('error')).toBe(0)
      expect(each.idleCount).toBe(each.totalCount)
      const client = await each.connect()
      expect(client.listenerCount('error')).toBe(0)
      client.release()
    }
  })
})
