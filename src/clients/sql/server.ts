/**
 * Identifies a database server, so a store and a feed can detect that they share it.
 *
 * @module
 */
import { realpathSync, statSync } from 'node:fs'
import { once, type Sql, type SqlResult, sql } from './statement.js'

type Ask = (statement: Sql) => Promise<SqlResult>

/**
 * The id of a PostgreSQL server: the cluster and the start time of the server. A primary and a promoted replica share
 * the cluster but not the start time. Returns `undefined` if the server does not report the start time.
 */
export async function postgresIdentity(ask: Ask): Promise<string | undefined> {
  // The role may lack the right to read the cluster's id, but not the start time.
  const cluster = await ask(
    once(sql`SELECT system_identifier::text AS id FROM pg_control_system()`),
  ).then(
    ({ rows }) => String(rows[0]?.['id']),
    () => '',
  )
  const started = await ask(
    once(
      sql`SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS at`,
    ),
  ).then(
    ({ rows }) => rows[0]?.['at'],
    () => undefined,
  )
  return typeof started === 'string' ? `postgres:${cluster}:${started}` : undefined
}

const MYSQL_NAMES = ['server_uuid', 'hostname', 'port', 'server_id'] as const

/** The id of a MySQL server, its UUID, or of a MariaDB server, which has no UUID: its host, port and server id. */
export async function mysqlIdentity(ask: Ask): Promise<string | undefined> {
  const { rows } = await ask(
    once(
      sql`SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'hostname', 'port', 'server_id')`,
    ),
  )
  const values = new Map(
    rows.map((row) => [String(row['Variable_name']).toLowerCase(), String(row['Value'])]),
  )
  const [uuid, ...others] = MYSQL_NAMES.map((name) => values.get(name))
  if (uuid !== undefined && uuid !== '') return `mysql:${uuid}`
  return others.includes(undefined) ? undefined : `mysql:${others.join(':')}`
}

/** The id of a SQLite file: its path and its inode. `undefined` for a database in memory. */
export async function sqliteIdentity(ask: Ask): Promise<string | undefined> {
  const { rows } = await ask(sql`SELECT file FROM pragma_database_list WHERE name = 'main'`)
  const file = rows[0]?.['file']
  if (typeof file !== 'string' || file === '') return undefined
  try {
    const path = realpathSync(file)
    const { dev, ino } = statSync(path, { bigint: true })
    return `sqlite:${dev}:${ino}:${path}`
  } catch {
    return undefined
  }
}
