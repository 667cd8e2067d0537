import { PGlite } from '@electric-sql/pglite'
import { afterAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { postgresFeed } from '../../src/feed/postgres.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { inPostgres, migratedTables } from './migrated-tables.js'
import { uniqueName } from './servers.js'

const database = await PGlite.create()
afterAll(() => database.close())

// PostgreSQL itself, within the process, so that a machine without a server tests the statements too.
describe('postgresFeed over PGlite', () => {
  const schemas = new WeakMap<RevocationFeed, string>()
  const { signal } = new AbortController()

  const feedIn = (schema: string) => {
    const feed = postgresFeed(database, { schema })
    schemas.set(feed, schema)
    return feed
  }

  const tables = migratedTables((schema) => feedIn(schema).migrate(), inPostgres(database))

  feedContract({
    describe,
    it,
    createFeed: async () => feedIn(await tables.take()),
    createTwin: async (feed) => feedIn(schemas.get(feed) ?? ''),
    plantEvent: async (feed, { seq, bytes }) => {
      const table = `"${schemas.get(feed)}".watchword_feed_`
      await database.query(
        `INSERT INTO ${table}log (feed, epoch, seq, bytes)
          SELECT feed, epoch, $1, $2 FROM ${table}head`,
        [seq, bytes],
      )
    },
    destroyFeed: async (feed) => tables.giveBack(schemas.get(feed) ?? ''),
  })

  it('migrates twice, and rejects open before', async () => {
    const feed = feedIn(uniqueName())
    await expect(feed.open(signal)).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    await feed.migrate()
    await feed.migrate()
    await feed.open(signal)
    expect(feed.info).toMatchObject({ push: true, durability: 'process' })
  })

  it('only polls when configured, and then needs no client that listens', () => {
    const feed = postgresFeed(database, { listen: false })
    expect(feed.info).toMatchObject({ push: false, suggestedPollMs: 250 })
    expect(feed.watch).toBeUndefined()
    const listen = () => ({}) as never
    expect(() => postgresFeed(database, { listen })).toThrow('listen: expected false')
  })
})
