/** The privileges of examples/rights.md on MySQL and MariaDB are sufficient for both contracts, and all of them necessary. */
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { mysqlFeed } from '../../src/feed/mysql.js'
import { mysqlStore } from '../../src/store/mysql.js'
import type { Store } from '../../src/store/store.js'
import { feedContract, storeContract } from '../../src/testkit/index.js'
import { inMysql, migratedTables } from './migrated-tables.js'
import { casesOf, firstFailure, ofService, type Privilege, privileges } from './rights.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('mysql')

describe.skipIf(url === undefined)('the privileges on MySQL', () => {
  const database = uniqueName()
  const user = uniqueName()
  const migrator = uniqueName()
  const admin = mysql.createPool({ uri: url ?? 'mysql://localhost/test', connectionLimit: 2 })
  const as = (name: string) => {
    const target = new URL(url ?? 'mysql://localhost/test')
    target.username = name
    target.password = 'secret'
    target.pathname = database
    return mysql.createPool({ uri: target.href, connectionLimit: 4 })
  }
  const app = as(user)
  const twin = as(user)
  const migration = as(migrator)

  beforeAll(async () => {
    await admin.query(`CREATE DATABASE ${database}`)
    for (const name of [user, migrator])
      await admin.query(`CREATE USER '${name}'@'%' IDENTIFIED BY 'secret'`)
    for (const { privilege } of privileges('mysql migration'))
      await admin.query(`GRANT ${privilege} ON ${database}.* TO '${migrator}'@'%'`)
  })
  afterAll(async () => {
    await Promise.all([app, twin, migration].map((pool) => pool.end()))
    for (const name of [user, migrator]) await admin.query(`DROP USER '${name}'@'%'`)
    await admin.query(`DROP DATABASE ${database}`)
    await admin.end()
  })

  const prefixes = new WeakMap<object, string>()
  const objectIn = (prefix: string, { object }: Privilege) =>
    object.replace('auth.watchword_', `${database}.${prefix}`)

  async function grant(prefix: string, granted: readonly Privilege[]): Promise<void> {
    for (const each of granted)
      await admin.query(`GRANT ${each.privilege} ON ${objectIn(prefix, each)} TO '${user}'@'%'`)
  }
  const storeOptions = (granted: readonly Privilege[]) => {
    const tables = migratedTables(async (prefix) => {
      await mysqlStore(migration, { prefix }).migrate()
      await grant(prefix, granted)
    }, inMysql(admin))
    return {
      createStore: async () => {
        const prefix = await tables.take()
        const store = mysqlStore(app, { prefix })
        prefixes.set(store, prefix)
        return store
      },
      createTwin: async (store: Store) => mysqlStore(twin, { prefix: prefixes.get(store) ?? '' }),
      destroyStore: async (store: Store) => tables.giveBack(prefixes.get(store) ?? ''),
    }
  }
  const feedOptions = (granted: readonly Privilege[]) => {
    const tables = migratedTables(async (prefix) => {
      await mysqlFeed(migration, { prefix }).migrate()
      await grant(prefix, granted)
    }, inMysql(admin))
    return {
      createFeed: async () => {
        const prefix = await tables.take()
        const feed = ofService(mysqlFeed(app, { prefix }))
        prefixes.set(feed, prefix)
        return feed
      },
      createTwin: async (feed: RevocationFeed) =>
        mysqlFeed(twin, { prefix: prefixes.get(feed) ?? '' }),
      destroyFeed: async (feed: RevocationFeed) => tables.giveBack(prefixes.get(feed) ?? ''),
    }
  }

  it.each(privileges('mysql migration'))(
    'the migration fails without $privilege',
    async (missing) => {
      const name = uniqueName()
      const prefix = `${uniqueName()}_`
      await admin.query(`CREATE USER '${name}'@'%' IDENTIFIED BY 'secret'`)
      for (const { privilege } of privileges('mysql migration').filter(
        ({ privilege }) => privilege !== missing.privilege,
      ))
        await admin.query(`GRANT ${privilege} ON ${database}.* TO '${name}'@'%'`)
      const pool = as(name)
      try {
        await expect(mysqlStore(pool, { prefix }).migrate()).rejects.toThrow()
      } finally {
        await pool.end()
        await admin.query(`DROP USER '${name}'@'%'`)
      }
    },
  )

  const ofStore = privileges('mysql store')
  const ofFeed = privileges('mysql feed')
  const but = (all: readonly Privilege[], missing: Privilege) =>
    all.filter((each) => each !== missing)

  describe('are sufficient for the store', () => {
    storeContract({ describe, it, ...storeOptions(ofStore) })
  })
  describe('are sufficient for the feed', () => {
    feedContract({ describe, it, ...feedOptions(ofFeed) })
  })

  // MySQL requires it for FOR UPDATE, MariaDB does not.
  const isOfMySqlAlone = ({ privilege, object }: Privilege) =>
    privilege === 'UPDATE' && object === 'auth.watchword_locks'

  it.each(ofStore)(
    'the store fails without $privilege on $object, where the server requires it',
    async (missing) => {
      const [rows] = await admin.query('SELECT VERSION() AS version')
      const [{ version }] = rows as [{ version: string }]
      const isNeeded = !(isOfMySqlAlone(missing) && version.includes('MariaDB'))
      const options = storeOptions(but(ofStore, missing))
      const cases = casesOf((runner) => storeContract({ ...runner, ...options }))
      expect((await firstFailure(cases)) !== undefined).toBe(isNeeded)
    },
    300_000,
  )
  it.each(ofFeed)(
    'the feed fails without $privilege on $object',
    async (missing) => {
      const options = { ...feedOptions(but(ofFeed, missing)), withinMs: 3000 }
      const cases = casesOf((runner) => feedContract({ ...runner, ...options }))
      expect(await firstFailure(cases)).toBeDefined()
    },
    300_000,
  )
})
