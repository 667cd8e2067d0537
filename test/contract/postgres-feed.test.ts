import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import type { RevocationFeed } from '../../src/feed/feed.js'
import { type PostgresFeedOptions, postgresFeed } from '../../src/feed/postgres.js'
import { selectEvents } from '../../src/feed/sql/log.js'
import { postgresFeedDialect } from '../../src/feed/sql/postgres-dialect.js'
import { postgresStore } from '../../src/store/postgres.js'
import { feedContract } from '../../src/testkit/feed-contract.js'
import { serverUrl, uniqueName } from './servers.js'

const url = await serverUrl('postgres')

describe.skipIf(url === undefined)('postgresFeed', () => {
  const pools = [1, 2].map(() => new pg.Pool({ connectionString: url, max: 8 }))
  const [pool, twinPool] = pools as [pg.Pool, pg.Pool]
  const { signal } = new AbortController()
  afterAll(async () => {
    await Promise.all(pools.map((each) => each.end()))
  })

  const schemas = new WeakMap<RevocationFeed, string>()
  const feedIn = (client: pg.Pool, schema: string, options: PostgresFeedOptions) => {
    const feed = postgresFeed(client, { schema, ...options })
    schemas.set(feed, schema)
    return feed
  }

  describe.each<[string, PostgresFeedOptions]>([
    ['with named statements', {}],
    ['without', { prepare: false, prefix: 'other_' }],
    ['that only polls', { listen: false, name: 'polled' }],
  ])('%s', (_, options) => {
    const { prefix = 'watchword_', name = 'main' } = options
    feedContract({
      describe,
      it,
      createFeed: async () => {
        const feed = feedIn(pool, uniqueName(), options)
        await feed.migrate()
        return feed
      },
      createTwin: async (feed) => feedIn(twinPool, schemas.get(feed) ?? '', options),
      plantEvent: async (feed, { seq, bytes }) => {
        const table = `"${schemas.get(feed)}".${prefix}feed_`
        await pool.query(
          `INSERT INTO ${table}log (feed, epoch, seq, bytes)
            SELECT feed, epoch, $1, $2 FROM ${table}head WHERE feed = $3`,
          [seq, bytes, name],
        )
      },
      destroyFeed: async (feed) => {
        await pool.query(`DROP SCHEMA "${schemas.get(feed)}" CASCADE`)
      },
    })
  })

  it('shares a schema with a store, and each is migrated separately', async () => {
    const schema = uniqueName()
    const store = postgresStore(pool, { schema })
    const feed = postgresFeed(pool, { schema })
    await store.migrate()
    await expect(feed.open(signal)).rejects.toMatchObject({ code: 'ERR_STORE_SCHEMA' })
    await Promise.all([feed.migrate(), postgresFeed(twinPool, { schema }).migrate()])
    await feed.open(signal)
    await store.open()
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
  })

  it('has the schema that its migrationSql creates, and works with the search path', async () => {
    const schema = uniqueName()
    const options = `-c search_path=${schema}`
    const there = new pg.Pool({ connectionString: url, max: 1, options })
    const feed = postgresFeed(there)
    await there.query(`CREATE SCHEMA "${schema}"`)
    await there.query(feed.migrationSql())
    await feed.open(signal)
    expect(await feed.head({ signal, deadlineMs: 1000 })).toBe(null)
    await there.query(`DROP SCHEMA "${schema}" CASCADE`)
    await there.end()
  })

  // Postgres has no statistics for a table that has just grown.
  it('reads no more of a long log than the requested page', async () => {
    const schema = uniqueName()
    const feed = postgresFeed(pool, { schema })
    await feed.migrate()
    await pool.query(`INSERT INTO "${schema}".watchword_feed_log
      SELECT 'main', 'epoch', n, '' FROM generate_series(1, 5000) n`)
    await pool.query(`INSERT INTO "${schema}".watchword_feed_head
      VALUES ('main', 'epoch', 5000, '', 1, 0, '')`)
    const dialect = postgresFeedDialect('watchword_', schema)
    const { text, values } = selectEvents(dialect, 'main', { epoch: 'epoch', seq: 1000 }, 100)
    const numbered = text.replace(/\?/g, (_, at) => `$${text.slice(0, at).split('?').length}`)
    const { rows } = await pool.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${numbered}`, [...values])
    const scans = JSON.stringify(rows[0]).matchAll(/_feed_log".*?"Actual Rows":(\d+)/g)
    expect(Math.max(...Array.from(scans, ([, count]) => Number(count)))).toBe(100)
    await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
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
