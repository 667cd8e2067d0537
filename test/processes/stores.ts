/**
 * The real stores that the processes work on, and how each is opened, disconnected and removed.
 */
import { Redis } from 'ioredis'
import Libsql from 'libsql'
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { Store } from 'watchword/store'
import { mysqlStore } from '../../src/store/mysql.js'
import { postgresStore } from '../../src/store/postgres.js'
import { redisStore } from '../../src/store/redis.js'
import { type SqliteDatabase, sqliteStore } from '../../src/store/sqlite.js'
import { serverUrl } from '../contract/servers.js'

/** The database that the processes share. */
export interface Place {
  readonly kind: 'sqlite' | 'postgres' | 'mysql' | 'redis'
  /** A path for SQLite, a URL for the others. */
  readonly url: string
  /** The prefix of tables or keys, which separates runs. */
  readonly prefix: string
}

/** A store with its own client. */
export interface Opened {
  readonly store: Store
  /** Ends every connection to the server except the caller's, as a failing network would. */
  readonly cutConnections: () => Promise<void>
  /** Removes all data of the run. */
  readonly drop: () => Promise<void>
  /** Closes the client. */
  readonly end: () => Promise<void>
}

/** The databases on this machine. Prints a line for each one that is missing. */
export async function availablePlaces(): Promise<readonly Place[]> {
  const places: Place[] = [{ kind: 'sqlite', url: '', prefix: '' }]
  for (const kind of ['postgres', 'mysql', 'redis'] as const) {
    const url = await serverUrl(kind)
    if (url !== undefined) places.push({ kind, url, prefix: '' })
  }
  return places
}

/** Opens a store in the database. With `migrate`, creates its tables first. */
export async function openStore(place: Place, options = { migrate: false }): Promise<Opened> {
  return OPENERS[place.kind](place, options.migrate)
}

type Opener = (place: Place, migrate: boolean) => Promise<Opened>

const sqlite: Opener = async ({ url, prefix }, migrate) => {
  const database = new Libsql(url, { timeout: 10_000 }) as unknown as SqliteDatabase & {
    close(): void
  }
  database.exec('PRAGMA journal_mode = WAL')
  const store = sqliteStore(database, { prefix })
  if (migrate) await store.migrate()
  return {
    store,
    // A file has no connection to cut; it only has to survive killed processes.
    cutConnections: async () => {},
    drop: async () => {},
    end: async () => database.close(),
  }
}

const postgres: Opener = async ({ url, prefix }, migrate) => {
  // The connections are named, so that this test cuts only its own.
  const pool = new pg.Pool({ connectionString: url, max: 3, application_name: prefix })
  pool.on('error', () => {})
  const store = postgresStore(pool, { prefix })
  if (migrate) await store.migrate()
  return {
    store,
    cutConnections: async () => {
      await pool.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()',
        [prefix],
      )
    },
    drop: async () => {
      const { rows } = await pool.query<{ tablename: string }>(
        'SELECT tablename FROM pg_tables WHERE tablename LIKE $1',
        [`${prefix.replace('_', '\\_')}%`],
      )
      for (const { tablename } of rows) await pool.query(`DROP TABLE "${tablename}" CASCADE`)
    },
    end: () => pool.end(),
  }
}

const maria: Opener = async ({ url, prefix }, migrate) => {
  // A separate database, so that this test cuts only its own connections.
  const database = prefix.replaceAll('_', '')
  if (migrate) {
    const admin = await mysql.createConnection(url)
    await admin.query(`CREATE DATABASE IF NOT EXISTS \`${database}\``)
    await admin.end()
  }
  const uri = new URL(url)
  uri.pathname = database
  const pool = mysql.createPool({ uri: uri.href, connectionLimit: 3 })
  const store = mysqlStore(pool, { prefix })
  if (migrate) await store.migrate()
  const connections = async () => {
    const [rows] = await pool.query<mysql.RowDataPacket[]>(
      'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
    )
    return rows.map((row) => Number(row['id'] ?? row['ID']))
  }
  return {
    store,
    cutConnections: async () => {
      // A connection may have ended since it was listed.
      for (const id of await connections()) await pool.query(`KILL ${id}`).catch(() => undefined)
    },
    drop: async () => {
      await pool.query(`DROP DATABASE \`${database}\``)
    },
    end: () => pool.end(),
  }
}

const redis: Opener = async ({ url, prefix }) => {
  const name = prefix.replaceAll('_', '')
  const client = new Redis(url, { connectionName: name, maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  return {
    store: redisStore(client, { prefix: name }),
    cutConnections: async () => {
      const list = String(await client.call('CLIENT', 'LIST'))
      const own = String(await client.call('CLIENT', 'ID'))
      for (const line of list.split('\n')) {
        const id = /(?:^| )id=(\d+)/.exec(line)?.[1]
        if (id === undefined || id === own || !line.includes(` name=${name} `)) continue
        await client.call('CLIENT', 'KILL', 'ID', id).catch(() => undefined)
      }
    },
    drop: async () => {
      const keys = await client.keys(`*${name}*`)
      if (keys.length > 0) await client.unlink(...keys)
    },
    end: async () => client.disconnect(),
  }
}

const OPENERS: Readonly<Record<Place['kind'], Opener>> = { sqlite, postgres, mysql: maria, redis }
