/**
 * Tables that the cases of a contract use one after the other. A migration for each case takes most of the time: MySQL
 * writes each of its statements to disk.
 *
 * @module
 */
import type { Pool, RowDataPacket } from 'mysql2/promise'
import { uniqueName } from './servers.js'

/** Tables that are migrated once, and are as the migration left them at the start of each case. */
export interface MigratedTables {
  /** The name of tables that no other case uses at the time. */
  take(): Promise<string>
  /** Resets the tables of this name for the next case. */
  giveBack(name: string): Promise<void>
}

/**
 * Creates tables on demand.
 *
 * @param migrate - Creates the tables of a name.
 * @param resetting - Remembers the rows that the migration wrote, and resolves with a function that restores them.
 */
export function migratedTables(
  migrate: (name: string) => Promise<void>,
  resetting: (name: string) => Promise<() => Promise<unknown>>,
): MigratedTables {
  const resets = new Map<string, () => Promise<unknown>>()
  const free: string[] = []
  return {
    async take() {
      const known = free.pop()
      if (known !== undefined) return known
      const name = `${uniqueName()}_`
      await migrate(name)
      resets.set(name, await resetting(name))
      return name
    },
    async giveBack(name) {
      await resets.get(name)?.()
      free.push(name)
    },
  }
}

/** Resets tables of MySQL or MariaDB, by their prefix. */
export function inMysql(admin: Pool) {
  return async (prefix: string) => {
    const [found] = await admin.query<RowDataPacket[]>(
      `SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES
        WHERE LEFT(TABLE_NAME, ?) = ?`,
      [prefix.length, prefix],
    )
    const tables: [name: string, rows: RowDataPacket[]][] = []
    for (const { name } of found)
      tables.push([name, (await admin.query<RowDataPacket[]>(`SELECT * FROM ${name}`))[0]])
    // One transaction, so one write to disk.
    return async () => {
      const connection = await admin.getConnection()
      try {
        await connection.beginTransaction()
        for (const [name, rows] of tables) {
          await connection.query(`DELETE FROM ${name}`)
          for (const row of rows) await connection.query(`INSERT INTO ${name} SET ?`, [row])
        }
        await connection.commit()
      } finally {
        connection.release()
      }
    }
  }
}

/** The part of a client of PostgreSQL that resets tables. */
interface PostgresClient {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>
}

/** Resets tables of PostgreSQL or PGlite, by their schema. */
export function inPostgres(client: PostgresClient) {
  return async (schema: string) => {
    const { rows } = await client.query(
      'SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = $1',
      [schema],
    )
    const removing: string[] = []
    const restoring: string[] = []
    for (const [i, { name }] of rows.entries()) {
      const table = `"${schema}".${name}`
      removing.push(`d${i} AS (DELETE FROM ${table})`)
      const [found] = (
        await client.query(`SELECT quote_literal(json_agg(t)) AS rows FROM ${table} t`)
      ).rows
      if (typeof found?.['rows'] === 'string')
        restoring.push(`r${i} AS (INSERT INTO ${table}
          SELECT * FROM json_populate_recordset(NULL::${table}, ${found['rows']}))`)
    }
    return async () => {
      await client.query(`WITH ${removing.join(', ')} SELECT 1`)
      if (restoring.length > 0) await client.query(`WITH ${restoring.join(', ')} SELECT 1`)
    }
  }
}
