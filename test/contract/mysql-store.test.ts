import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mysqlStore } from '../../src/store/mysql.js'
import type { Store } from '../../src/store/store.js'
import { storeContract } from '../../src/testkit/store-contract.js'
import { inMysql, migratedTables } from './migrated-tables.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('mysql')

describe.skipIf(url === undefined)('mysqlStore', () => {
  const database = uniqueName()
  const uri = new URL(url ?? 'mysql://localhost/test')
  uri.pathname = database
  const pool = mysql.createPool({ uri: uri.href, connectionLimit: 8 })
  // Settings that a service may have for its own use.
  const strangePool = mysql.createPool({
    uri: uri.href,
    connectionLimit: 8,
    charset: 'latin1',
    rowsAsArray: true,
    namedPlaceholders: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  })

  beforeAll(async () => {
    const connection = await mysql.createConnection(url ?? '')
    await connection.query(`CREATE DATABASE ${database}`)
    await connection.end()
  })
  afterAll(async () => {
    await pool.query(`DROP DATABASE ${database}`)
    await Promise.all([pool.end(), strangePool.end()])
  })

  const prefixes = new WeakMap<Store, string>()
  const storeWith = (client: mysql.Pool, prefix: string) => {
    const store = mysqlStore(client, { prefix })
    prefixes.set(store, prefix)
    return store
  }

  const tables = migratedTables((prefix) => mysqlStore(pool, { prefix }).migrate(), inMysql(pool))

  storeContract({
    describe,
    it,
    createStore: async () => storeWith(pool, await tables.take()),
    createTwin: async (store) => storeWith(strangePool, prefixes.get(store) ?? ''),
    destroyStore: async (store) => tables.giveBack(prefixes.get(store) ?? ''),
  })

  it('leaves the caller’s pool open', async () => {
    const [rows] = await pool.query('SELECT 1 AS one')
    expect(rows).toEqual([{ one: 1 }])
  })
})
