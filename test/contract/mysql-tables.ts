/**
 * Tables of MySQL or MariaDB that the cases of a contract use one after the other. Every statement of a migration is
 * written to disk, so a migration for each case takes most of the time.
 *
 * @module
 */
import type { Pool, RowDataPacket } from 'mysql2/promise'
import { uniqueName } from './servers.js'

interface Table {
  readonly name: string
  /** The rows that the migration wrote. */
  readonly rows: readonly RowDataPacket[]
}

/** Tables that are migrated once, and are as the migration left them at the start of each case. */
export interface MigratedTables {
  /** The prefix of tables that no other case uses at the time. */
  take(): Promise<string>
  /** Resets the tables of this prefix for the next case. */
  giveBack(prefix: string): Promise<void>
}

/**
 * Creates tables on demand.
 *
 * @param admin - Reads and resets the tables.
 * @param migrate - Creates the tables of a prefix.
 */
export function migratedTables(
  admin: Pool,
  migrate: (prefix: string) => Promise<void>,
): MigratedTables {
  const tables = new Map<string, readonly Table[]>()
  const free: string[] = []
  return {
    async take() {
      const known = free.pop()
      if (known !== undefined) return known
      const prefix = `${uniqueName()}_`
      await migrate(prefix)
      tables.set(prefix, await read(admin, prefix))
      return prefix
    },
    async giveBack(prefix) {
      await reset(admin, tables.get(prefix) ?? [])
      free.push(prefix)
    },
  }
}

async function read(admin: Pool, prefix: string): Promise<readonly Table[]> {
  const [found] = await admin.query<RowDataPacket[]>(
    'SELECT TABLE_SCHEMA AS place, TABLE_NAME AS name FROM information_schema.TABLES WHERE LEFT(TABLE_NAME, ?) = ?',
    [prefix.length, prefix],
  )
  const read: Table[] = []
  for (const { place, name } of found) {
    const [rows] = await admin.query<RowDataPacket[]>(`SELECT * FROM ${place}.${name}`)
    read.push({ name: `${place}.${name}`, rows })
  }
  if (read.length === 0) throw new Error(`the migration created no table with the prefix ${prefix}`)
  return read
}

/** One transaction, so one write to disk. */
async function reset(admin: Pool, tables: readonly Table[]): Promise<void> {
  const connection = await admin.getConnection()
  try {
    await connection.beginTransaction()
    for (const { name, rows } of tables) {
      await connection.query(`DELETE FROM ${name}`)
      for (const row of rows) await connection.query(`INSERT INTO ${name} SET ?`, [row])
    }
    await connection.commit()
  } finally {
    connection.release()
  }
}
