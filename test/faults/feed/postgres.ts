/**
 * PostgreSQL for the fault tests.
 */
import pg from 'pg'
import { postgresFeed } from '../../../src/feed/postgres.js'
import type { Broker } from './broker.js'
import { ownDatabase, type Recipe } from './database-server.js'

export const POSTGRES: Recipe = {
  name: 'postgres',
  debian: 'postgresql',
  folders: ['/usr/lib/postgresql/*/bin'],
  user: 'postgres',
  install: (data) => ['initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'],
  run: (data, port) => {
    const address = ['listen_addresses=127.0.0.1', 'unix_socket_directories=']
    const settings = [...address, 'max_connections=500']
    return ['postgres', '-D', data, '-p', `${port}`, ...settings.flatMap((each) => ['-c', each])]
  },
  responds: (port) =>
    ask(port, 'SELECT 1').then(
      () => true,
      () => false,
    ),
}

async function ask(port: number, text: string): Promise<number> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres' })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query(text)
    return Number(rows[0]?.n)
  } finally {
    await client.end()
  }
}

const OTHERS = `FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`

export async function postgresBroker(): Promise<Broker> {
  const server = await ownDatabase(POSTGRES)
  const { port } = server
  return {
    kind: 'postgres',
    server,
    async prepare(log) {
      const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', max: 1 })
      await postgresFeed(pool, { schema: log }).migrate()
      await pool.end()
    },
    drop: async (log) => {
      const tables = ['head', 'log'].map((name) => `"${log}".watchword_feed_${name}`)
      await ask(port, `TRUNCATE ${tables.join(', ')}`)
    },
    cutPushes: () =>
      ask(port, `SELECT COUNT(pg_terminate_backend(pid)) AS n ${OTHERS} AND query ILIKE 'listen%'`),
    clients: () => ask(port, `SELECT COUNT(*) AS n ${OTHERS}`),
    punch: async (log, { seq }) => {
      const text = `DELETE FROM "${log}".watchword_feed_log WHERE seq IN (${seq - 1}, ${seq - 2})`
      await ask(port, text)
    },
    end: async () => {},
  }
}
