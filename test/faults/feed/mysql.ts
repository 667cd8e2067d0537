/**
 * MariaDB for the fault tests.
 */
import mysql from 'mysql2/promise'
import { mysqlFeed } from '../../../src/feed/mysql.js'
import type { Broker } from './broker.js'
import { ownDatabase, type Recipe } from './database-server.js'

export const MARIADB: Recipe = {
  name: 'mariadb',
  debian: 'mariadb-server',
  folders: ['/usr/sbin'],
  install: (data) => [
    'mariadb-install-db',
    '--no-defaults',
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-name-resolve',
    ...asRoot(),
  ],
  run: (data, port) => [
    'mariadbd',
    '--no-defaults',
    `--datadir=${data}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${data}.sock`,
    '--innodb-log-file-size=8M',
    '--skip-name-resolve',
    ...asRoot(),
  ],
  responds: (port) =>
    ask(port, 'SELECT 1').then(
      () => true,
      () => false,
    ),
}

// MariaDB runs as root only if this option is set.
function asRoot(): readonly string[] {
  return process.getuid?.() === 0 ? ['--user=root'] : []
}

type Rows = mysql.RowDataPacket[]

async function ask(port: number, ...texts: readonly string[]): Promise<Rows> {
  const connection = await mysql.createConnection({ host: '127.0.0.1', port, user: 'root' })
  connection.on('error', () => undefined)
  try {
    let rows: Rows = []
    for (const text of texts) [rows] = await connection.query<Rows>(text)
    return rows
  } finally {
    connection.destroy()
  }
}

const OTHERS = `SELECT id AS id FROM information_schema.processlist
  WHERE id <> CONNECTION_ID() AND user = 'root' AND command <> 'Daemon'`

export async function mysqlBroker(): Promise<Broker> {
  const server = await ownDatabase(MARIADB)
  const { port } = server
  const tableOf = (log: string, name: string) => `test.${log}_feed_${name}`
  return {
    kind: 'mysql',
    server,
    async prepare(log) {
      await ask(port, 'CREATE DATABASE IF NOT EXISTS test')
      const pool = mysql.createPool({ host: '127.0.0.1', port, user: 'root', database: 'test' })
      await mysqlFeed(pool, { prefix: `${log}_` }).migrate()
      await pool.end()
    },
    drop: async (log) => {
      const deletions = ['head', 'log'].map((name) => `DELETE FROM ${tableOf(log, name)}`)
      await ask(port, 'BEGIN', ...deletions, 'COMMIT')
    },
    cutPushes: async () => 0,
    clients: async () => (await ask(port, OTHERS)).length,
    punch: async (log, { seq }) => {
      await ask(port, `DELETE FROM ${tableOf(log, 'log')} WHERE seq IN (${seq - 1}, ${seq - 2})`)
    },
    end: async () => {},
  }
}
