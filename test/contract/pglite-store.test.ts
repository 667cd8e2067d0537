import { PGlite } from '@electric-sql/pglite'
import { afterAll, describe, expect, it } from 'vitest'
import { postgresStore } from '../../src/store/postgres.js'
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { inPostgres, migratedTables } from './migrated-tables.js'
import { uniqueName } from './servers.js'

const database = await PGlite.create()
afterAll(() => database.close())

// PostgreSQL itself, within the process, so that a machine without a server tests the statements too.
describe('postgresStore over PGlite', () => {
  const schemas = new WeakMap<Store, string>()

  const storeIn = (schema: string) => {
    const store = postgresStore(database, { schema })
    schemas.set(store, schema)
    return store
  }

  const tables = migratedTables((schema) => storeIn(schema).migrate(), inPostgres(database))

  storeContract({
    describe,
    it,
    createStore: async () => storeIn(await tables.take()),
    createTwin: async (store) => storeIn(schemas.get(store) ?? ''),
    destroyStore: async (store) => tables.giveBack(schemas.get(store) ?? ''),
  })

  it('migrates twice, and rejects open before', async () => {
    const store = storeIn(uniqueName())
    await expect(store.open()).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    await store.migrate()
    await store.migrate()
    await store.open()
  })
})
