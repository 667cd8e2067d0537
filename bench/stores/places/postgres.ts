/**
 * PostgreSQL: a schema of its own, through a pool of pg.
 *
 * @module
 */
import pg from 'pg'
import { postgresStore } from '../../../src/store/postgres.js'
import { serverUrl, uniqueName } from '../../../test/contract/servers.js'
import { type Opener, orDrop, PREFIXES, SHELVES, type Shelf } from './place.js'

const CONNECTIONS = 10

/** Opens a pool with the size that pg gives it by default, and named statements on both sides. */
export const openPostgres: Opener = async () => {
  const url = await serverUrl('postgres')
  if (url === undefined) return undefined
  const schema = uniqueName()
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS })
  pool.on('error', () => {})
  const drop = async () => {
    await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await pool.end()
  }
  return orDrop(drop, async () => {
    const storeOf = (shelf: Shelf) => postgresStore(pool, { schema, prefix: PREFIXES[shelf] })
    for (const shelf of SHELVES) await storeOf(shelf).migrate()
    await pool.query(`CREATE TABLE ${schema}.one (id BIGINT PRIMARY KEY, content TEXT)`)
    await pool.query(`INSERT INTO ${schema}.one VALUES (1, 'one')`)
    const select = {
      name: 'bench_one',
      text: `SELECT content FROM ${schema}.one WHERE id = $1`,
      values: [1],
    }
    const insert = {
      name: 'bench_insert',
      text: `INSERT INTO ${schema}.one VALUES ((random() * 1e15)::bigint, $1)`,
      values: ['more'],
    }
    return {
      title: 'PostgreSQL',
      clients: [
        {
          name: `pg, a pool of ${CONNECTIONS}`,
          store: storeOf,
          roundTrip: async () => (await pool.query(select)).rows[0]?.content === 'one',
          rawWrite: async () => (await pool.query(insert)).rowCount === 1,
        },
      ],
      settle: async () => {
        for (const prefix of Object.values(PREFIXES))
          await pool.query(`VACUUM ANALYZE ${schema}.${prefix}tokens`)
      },
      drop,
    }
  })
}
