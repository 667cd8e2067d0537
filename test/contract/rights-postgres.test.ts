/** The privileges of examples/rights.md on PostgreSQL are sufficient for both contracts, and all of them necessary. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { postgresStore } from '../../src/store/postgres.js'
import type { Store } from '../../src/store/store.js'
import { feedContract, storeContract } from '../../src/testkit/index.js'
import { casesOf, firstFailure, ofService, type Privilege, privileges } from './rights.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('postgres')

describe.skipIf(url === undefined)('the privileges on PostgreSQL', () => {
  const role = uniqueName()
  const migrator = uniqueName()
  const admin = new pg.Pool({ connectionString: url, max: 4 })
  const as = (user: string) => {
    const target = new URL(url ?? 'postgres://localhost/test')
    target.username = user
    target.password = 'secret'
    return new pg.Pool({ connectionString: target.href, max: 4 })
  }
  const app = as(role)
  const twin = as(role)
  const migration = as(migrator)
  for (const pool of [admin, app, twin, migration]) pool.on('error', () => undefined)

  beforeAll(async () => {
    for (const name of [role, migrator])
      await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`)
  })
  afterAll(async () => {
    await Promise.all([app, twin, migration].map((pool) => pool.end()))
    for (const name of [role, migrator]) {
      await admin.query(`DROP OWNED BY ${name} CASCADE`)
      await admin.query(`DROP ROLE ${name}`)
    }
    await admin.end()
  })

  const schemas = new WeakMap<object, string>()
  const drop = (made: object) => admin.query(`DROP SCHEMA "${schemas.get(made)}" CASCADE`)

  /** A schema that was migrated with only the privileges of the page, and whose service has these privileges. */
  async function place(
    migrate: (schema: string) => Promise<void>,
    granted: readonly Privilege[],
  ): Promise<string> {
    const schema = uniqueName()
    const objectIn = ({ object }: Privilege) => object.replace('auth', `"${schema}"`)
    await admin.query(`CREATE SCHEMA "${schema}"`)
    const setUp = privileges('postgres migration').map(
      (each) => `GRANT ${each.privilege} ON ${objectIn(each)} TO ${migrator};`,
    )
    await admin.query(setUp.join('\n'))
    await migrate(schema)
    const grants = granted.map((each) => `GRANT ${each.privilege} ON ${objectIn(each)} TO ${role};`)
    await admin.query(grants.join('\n'))
    return schema
  }

  const storeOptions = (granted: readonly Privilege[]) => ({
    createStore: async () => {
      const migrate = (schema: string) => postgresStore(migration, { schema }).migrate()
      const schema = await place(migrate, granted)
      const store = postgresStore(app, { schema })
      schemas.set(store, schema)
      return store
    },
    createTwin: async (store: Store) => postgresStore(twin, { schema: schemas.get(store) ?? '' }),
    destroyStore: async (store: Store) => void (await drop(store)),
  })
  const feedOptions = (granted: readonly Privilege[]) => ({
    createFeed: async () => {
      const migrate = (schema: string) => postgresFeed(migration, { schema }).migrate()
      const schema = await place(migrate, granted)
      const feed = ofService(postgresFeed(app, { schema }))
      schemas.set(feed, schema)
      return feed
    },
    createTwin: async (feed: RevocationFeed) =>
      postgresFeed(twin, { schema: schemas.get(feed) ?? '' }),
    destroyFeed: async (feed: RevocationFeed) => void (await drop(feed)),
  })

  it.each(privileges('postgres migration'))(
    'the migration fails without $privilege',
    async (missing) => {
      const schema = uniqueName()
      const name = uniqueName()
      await admin.query(`CREATE SCHEMA "${schema}"`)
      await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`)
      for (const { privilege } of privileges('postgres migration')) {
        if (privilege !== missing.privilege)
          await admin.query(`GRANT ${privilege} ON SCHEMA "${schema}" TO ${name}`)
      }
      const pool = as(name)
      try {
        await expect(postgresStore(pool, { schema }).migrate()).rejects.toThrow()
      } finally {
        await pool.end()
        await admin.query(`DROP SCHEMA "${schema}" CASCADE`)
        await admin.query(`DROP ROLE ${name}`)
      }
    },
  )

  const ofStore = privileges('postgres both', 'postgres store')
  const ofFeed = privileges('postgres both', 'postgres feed')
  const but = (all: readonly Privilege[], missing: Privilege) =>
    all.filter((each) => each !== missing)

  describe('are sufficient for the store', () => {
    storeContract({ describe, it, ...storeOptions(ofStore) })
  })
  describe('are sufficient for the feed', () => {
    feedContract({ describe, it, ...feedOptions(ofFeed) })
  })

  it.each(ofStore)(
    'the store fails without $privilege on $object',
    async (missing) => {
      const options = storeOptions(but(ofStore, missing))
      const cases = casesOf((runner) => storeContract({ ...runner, ...options }))
      expect(await firstFailure(cases)).toBeDefined()
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
